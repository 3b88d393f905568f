/** Which parts of a picture an answer rests on: cover a window, and see what its class loses. */

const WINDOWS = 6; // side by side, without the halves by which they overlap

/**
 * List the windows: a sixth of each side, half a window apart, so that they reach every border.
 *
 * @returns {{top: number, left: number, height: number, width: number}[]}
 */
export function windows(height, width) {
  const tall = Math.max(1, Math.ceil(height / WINDOWS));
  const wide = Math.max(1, Math.ceil(width / WINDOWS));
  const tops = places(height, tall);
  const lefts = places(width, wide);
  return tops.flatMap((top) => lefts.map((left) => ({top, left, height: tall, width: wide})));
}

function places(side, window) {
  const steps = Math.ceil((side - window) / Math.max(1, window / 2));
  const found = Array.from({length: steps + 1}, (_, i) =>
    Math.round(((side - window) * i) / Math.max(1, steps)),
  );
  return [...new Set(found)];
}

/**
 * Cover one window after the other with the picture's mean colour.
 *
 * @param {Uint8ClampedArray} rgb Of shape (height, width, 3).
 * @param {[number, number]} size Height and width.
 * @param {(rgb: Uint8ClampedArray) => Promise<number>} probability Of the class that is explained.
 * @param {(share: number) => Promise<boolean>} goOn Told after each window how much is done.
 * @returns {Promise<Float32Array | null>} Of shape (height, width): what the class loses in the
 *   mean of the windows over a pixel; null if `goOn` said no.
 */
export async function occlusion(rgb, [height, width], probability, goOn) {
  const whole = await probability(rgb);
  const colour = mean(rgb);
  const lost = new Float32Array(height * width);
  const times = new Float32Array(height * width);
  const all = windows(height, width);
  for (const [done, window] of all.entries()) {
    const covered = rgb.slice();
    const pixels = [...within(window, width)];
    for (const pixel of pixels) covered.set(colour, pixel * 3);
    const drop = whole - (await probability(covered));
    for (const pixel of pixels) {
      lost[pixel] += drop;
      times[pixel]++;
    }
    if (!(await goOn((done + 1) / all.length))) return null;
  }
  return lost.map((sum, pixel) => sum / times[pixel]);
}

function* within({top, left, height, width}, columns) {
  for (let y = top; y < top + height; y++) {
    for (let x = left; x < left + width; x++) yield y * columns + x;
  }
}

function mean(rgb) {
  const sums = [0, 0, 0];
  rgb.forEach((value, i) => (sums[i % 3] += value));
  return sums.map((sum) => (sum * 3) / rgb.length);
}
