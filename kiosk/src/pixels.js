/** From a file to its pixels, as `decode_image` in `components/dataset/images.py` reads them. */

import {turned, turnsWebp, webpOrientation} from './orientation.js';

const MEGAPIXELS = 64; // as many as Python takes
const STRIP = 1 << 20; // pixels that are held at a time
const PNG = [0x89, 0x50, 0x4e, 0x47];

/** What is wrong with a file; `reason` is a key of the page's strings. */
export class PictureError extends Error {
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

/**
 * A picture whose rows are read a strip at a time: RGB in sRGB, upright, transparency dropped.
 *
 * @typedef {{width: number, height: number, strips: () => Iterable<Uint8ClampedArray>,
 *   close: () => void}} Picture Strips are RGBA, whole rows, the top row first.
 */

/**
 * Decode a file.
 *
 * @param {Blob} blob Of any format that the browser reads.
 * @returns {Promise<Picture>}
 * @throws {PictureError} For what is no picture, more than 8 bits a channel, or too many pixels.
 */
export async function decode(blob) {
  if (!blob.size) throw new PictureError('emptyFile');
  const head = new Uint8Array(await blob.slice(0, 32).arrayBuffer());
  if (PNG.every((byte, i) => head[i] === byte) && head[24] > 8) throw new PictureError('deepFile');
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, {premultiplyAlpha: 'none'});
  } catch {
    throw new PictureError('noPicture');
  }
  if (bitmap.width * bitmap.height > MEGAPIXELS * 1e6) {
    bitmap.close();
    throw new PictureError('hugeFile');
  }
  const isJpeg = head[0] === 0xff && head[1] === 0xd8;
  const asDrawn = isJpeg || isOpaque(bitmap);
  const picture = (asDrawn ? null : straight(bitmap)) ?? drawn(bitmap);
  const orientation = head[8] === 0x57 ? await stated(blob) : 1; // W of WEBP
  return orientation === 1 ? picture : upright(picture, orientation);
}

async function stated(blob) {
  const orientation = webpOrientation(new Uint8Array(await blob.arrayBuffer()));
  return orientation === 1 || (await turnsWebp()) ? 1 : orientation;
}

function* ranges(bitmap) {
  const rows = Math.max(1, Math.floor(STRIP / bitmap.width));
  for (let y = 0; y < bitmap.height; y += rows) yield [y, Math.min(rows, bitmap.height - y)];
}

/** Read by a canvas. It multiplies colours by alpha, so it is exact for opaque pictures alone. */
function drawn(bitmap) {
  const [[, most]] = ranges(bitmap);
  const canvas = new OffscreenCanvas(bitmap.width, most);
  const context = canvas.getContext('2d', {willReadFrequently: true});
  context.globalCompositeOperation = 'copy';
  context.imageSmoothingEnabled = false;
  return {
    width: bitmap.width,
    height: bitmap.height,
    close: () => bitmap.close(),
    *strips() {
      for (const [y, rows] of ranges(bitmap)) {
        context.drawImage(bitmap, 0, -y);
        yield context.getImageData(0, 0, bitmap.width, rows).data;
      }
    },
  };
}

function isOpaque(bitmap) {
  const {strips} = drawn(bitmap);
  for (const rgba of strips()) {
    const words = new Uint32Array(rgba.buffer); // ABGR: alpha is the highest byte
    for (let i = 0; i < words.length; i++) if (words[i] < 0xff000000) return false;
  }
  return true;
}

/** Read by WebGL, which leaves colours as they are; null where it is not to be had. */
function straight(bitmap) {
  const gl = new OffscreenCanvas(1, 1).getContext('webgl2');
  if (!gl || Math.max(bitmap.width, bitmap.height) > gl.getParameter(gl.MAX_TEXTURE_SIZE)) {
    return null;
  }
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  const texture = gl.getParameter(gl.TEXTURE_BINDING_2D);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
  return {
    width: bitmap.width,
    height: bitmap.height,
    close: () => {
      bitmap.close();
      gl.getExtension('WEBGL_lose_context')?.loseContext();
    },
    *strips() {
      for (const [y, rows] of ranges(bitmap)) {
        const rgba = new Uint8ClampedArray(bitmap.width * rows * 4);
        gl.readPixels(
          0, y, bitmap.width, rows, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(rgba.buffer),
        );
        yield rgba;
      }
    },
  };
}

/** Turn a picture, which for that lies whole in memory. */
function upright(picture, orientation) {
  const whole = new Uint8ClampedArray(picture.width * picture.height * 4);
  let at = 0;
  for (const rgba of picture.strips()) {
    whole.set(rgba, at);
    at += rgba.length;
  }
  picture.close();
  const {rgba, width, height} = turned(whole, picture.width, picture.height, orientation);
  return {width, height, close: () => {}, strips: () => [rgba]};
}
