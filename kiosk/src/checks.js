/**
 * What a picture looks like, beside what the network was trained on: as
 * `components/classification/picture.py` has it, whose limits these are.
 */

export const LONG_SIDE = 160; // pixels, on which all but size and shape is measured
export const LIMITS = {
  dark: 80, // mean brightness, 0 to 255
  bright: 215,
  blurred: 6, // variance of the Laplacian of brightness
  skin: 0.2, // share of pixels
  long: 2.2, // times the short side
};

/** @returns {[number, number]} Width and height on which a picture is measured. */
export function measuredSize(width, height) {
  const scale = Math.min(1, LONG_SIDE / Math.max(width, height));
  return [width, height].map((side) => Math.max(1, Math.round(side * scale)));
}

/**
 * Measure a shrunk picture.
 *
 * @param {Uint8ClampedArray} rgb Of shape (height, width, 3).
 * @returns {{brightness: number, sharpness: number, skin: number}} Mean, variance and share.
 */
export function measure(rgb, width, height) {
  const grey = new Float32Array(width * height);
  let total = 0;
  let skin = 0;
  for (let i = 0, p = 0; i < grey.length; i++, p += 3) {
    const [red, green, blue] = [rgb[p], rgb[p + 1], rgb[p + 2]];
    grey[i] = 0.299 * red + 0.587 * green + 0.114 * blue;
    total += grey[i];
    const isWarm = red >= green && red >= blue && red - Math.min(green, blue) >= 10;
    if (isWarm && red >= 40) skin++;
  }
  return {
    brightness: total / grey.length,
    sharpness: laplacianVariance(grey, width, height),
    skin: skin / grey.length,
  };
}

function laplacianVariance(grey, width, height) {
  let sum = 0;
  let squares = 0;
  const count = Math.max(0, width - 2) * Math.max(0, height - 2);
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) {
      const i = y * width + x;
      const value = grey[i - 1] + grey[i + 1] + grey[i - width] + grey[i + width] - 4 * grey[i];
      sum += value;
      squares += value * value;
    }
  }
  return count ? squares / count - (sum / count) ** 2 : 0;
}

/**
 * Name what is unlike the pictures that the network knows.
 *
 * @param {{brightness: number, sharpness: number, skin: number}} measured
 * @param {{width: number, height: number}} picture As it was given.
 * @param {[number, number]} size Height and width that the network takes.
 * @returns {string[]} Keys of the page's strings.
 */
export function warnings(measured, picture, [height, width]) {
  const sides = [picture.width, picture.height];
  const found = {
    tooDark: measured.brightness < LIMITS.dark,
    tooBright: measured.brightness > LIMITS.bright,
    blurred: measured.sharpness < LIMITS.blurred,
    littleSkin: measured.skin < LIMITS.skin,
    tooSmall: picture.width < width || picture.height < height,
    oddShape: Math.max(...sides) > LIMITS.long * Math.min(...sides),
  };
  return Object.keys(found).filter((name) => found[name]);
}
