/**
 * EXIF orientation of WebP files, which Chromium does not apply; it does for JPEG and PNG.
 * `components/dataset/images.py` applies it to all.
 */

const ORIENTATION = 0x0112;
// A WebP file of 2 x 1 pixels that is to be turned by 90 degrees.
const TURNED =
  'UklGRk4AAABXRUJQVlA4WAoAAAAIAAAAAQAAAAAAVlA4TA4AAAAvAQAAAAcQEf0PRET/A0VYSUYaAAAATU0AKgAAAAgAAQESAAMAAAABAAYAAAAAAAA=';

/**
 * Read the orientation that a WebP file states.
 *
 * @param {Uint8Array} file
 * @returns {number} 1 to 8; 1 for upright, for other files, and where none is stated.
 */
export function webpOrientation(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < 16 || tag(view, 0) !== 'RIFF' || tag(view, 8) !== 'WEBP') return 1;
  for (let at = 12; at + 8 <= file.length; ) {
    const size = view.getUint32(at + 4, true);
    if (tag(view, at) === 'EXIF') {
      return exifOrientation(file.subarray(at + 8, at + 8 + size));
    }
    at += 8 + size + (size % 2);
  }
  return 1;
}

function tag(view, at) {
  return String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));
}

function exifOrientation(block) {
  const start = block[0] === 0x45 ? 6 : 0; // some writers begin with "Exif\0\0"
  const view = new DataView(block.buffer, block.byteOffset + start, block.byteLength - start);
  if (view.byteLength < 8) return 1;
  const little = view.getUint8(0) === 0x49;
  const table = view.getUint32(4, little);
  const count = table + 2 <= view.byteLength ? view.getUint16(table, little) : 0;
  for (let i = 0; i < count; i++) {
    const at = table + 2 + 12 * i;
    if (at + 12 > view.byteLength) break;
    if (view.getUint16(at, little) !== ORIENTATION) continue;
    const found = view.getUint16(at + 8, little);
    return found >= 1 && found <= 8 ? found : 1;
  }
  return 1;
}

/**
 * Turn pixels as an orientation says.
 *
 * @param {Uint8Array | Uint8ClampedArray} rgba Of shape (height, width, 4).
 * @param {number} width
 * @param {number} height
 * @param {number} orientation 1 to 8, EXIF's.
 * @returns {{rgba: Uint8ClampedArray, width: number, height: number}}
 */
export function turned(rgba, width, height, orientation) {
  const swapped = orientation >= 5;
  const [newWidth, newHeight] = swapped ? [height, width] : [width, height];
  const found = new Uint32Array(width * height);
  const source = new Uint32Array(rgba.buffer, rgba.byteOffset, width * height);
  const mirrorX = [2, 3, 7, 8].includes(orientation);
  const mirrorY = [3, 4, 6, 7].includes(orientation);
  for (let y = 0, to = 0; y < newHeight; y++) {
    for (let x = 0; x < newWidth; x++, to++) {
      const [u, v] = swapped ? [y, x] : [x, y];
      const fromX = mirrorX ? width - 1 - u : u;
      const fromY = mirrorY ? height - 1 - v : v;
      found[to] = source[fromY * width + fromX];
    }
  }
  return {rgba: new Uint8ClampedArray(found.buffer), width: newWidth, height: newHeight};
}

let applied;

/** @returns {Promise<boolean>} Whether this browser turns WebP files itself. */
export function turnsWebp() {
  applied ??= (async () => {
    const bytes = Uint8Array.from(atob(TURNED), (letter) => letter.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], {type: 'image/webp'}));
    const isTall = bitmap.height === 2;
    bitmap.close();
    return isTall;
  })();
  return applied;
}
