/** Resizing by averaging areas: cv2.INTER_AREA, as `components/dataset/images.py` has it. */

/**
 * Say of one axis which source pixels a target pixel is made of.
 *
 * @typedef {{first: Int32Array, begin: Int32Array, weights: Float32Array}} Taps
 * Target pixel t is the sum over k in begin[t] .. begin[t + 1] of weights[k] times the source pixel
 * first[t] + k - begin[t]; its weights sum to 1.
 */

/**
 * Average the sources that a target pixel covers, those at its edges in part.
 *
 * @param {number} source Pixels, not fewer than `target`.
 * @param {number} target
 * @returns {Taps}
 */
export function averaging(source, target) {
  const scale = 1 / (target / source);
  const found = [];
  for (let t = 0; t < target; t++) {
    const from = t * scale;
    const to = from + scale;
    const width = Math.min(scale, source - from);
    const last = Math.min(Math.floor(to), source - 1);
    const whole = Math.min(Math.ceil(from), last);
    const weights = [];
    const before = whole - from > 1e-3;
    if (before) weights.push((whole - from) / width);
    for (let s = whole; s < last; s++) weights.push(1 / width);
    if (to - last > 1e-3) weights.push(Math.min(to - last, 1, width) / width);
    found.push([before ? whole - 1 : whole, weights]);
  }
  return packed(found);
}

/**
 * Mix two neighbours, as INTER_AREA enlarges: a source pixel stays flat, and only the target pixel
 * across its border is mixed, by the areas of both in it.
 *
 * @param {number} source
 * @param {number} target
 * @returns {Taps}
 */
export function mixing(source, target) {
  const inverse = target / source;
  const scale = 1 / inverse;
  const found = [];
  for (let t = 0; t < target; t++) {
    const s = Math.floor(t * scale);
    const beyond = t + 1 - (s + 1) * inverse;
    const share = beyond <= 0 ? 0 : beyond - Math.floor(beyond);
    found.push(s >= source - 1 ? [source - 1, [1]] : [s, [1 - share, share]]);
  }
  return packed(found);
}

function packed(found) {
  const begin = new Int32Array(found.length + 1);
  found.forEach(([, weights], t) => (begin[t + 1] = begin[t] + weights.length));
  return {
    first: Int32Array.from(found, ([first]) => first),
    begin,
    weights: Float32Array.from(found.flatMap(([, weights]) => weights)),
  };
}

/** Resizes an image whose rows come a few at a time, so that it never lies whole in memory. */
export class Resizer {
  /**
   * @param {number} width Of the source, in pixels.
   * @param {number} height
   * @param {number} newWidth
   * @param {number} newHeight
   */
  constructor(width, height, newWidth, newHeight) {
    // OpenCV averages only where no axis is enlarged.
    const taps = newWidth <= width && newHeight <= height ? averaging : mixing;
    this.columns = taps(width, newWidth);
    this.rows = taps(height, newHeight);
    this.width = width;
    this.newWidth = newWidth;
    this.newHeight = newHeight;
    this.sums = new Float32Array(newHeight * newWidth * 3);
    this.row = new Float32Array(newWidth * 3);
    this.next = 0; // source row
    this.open = 0; // first target row that is not whole yet
  }

  /**
   * Take the next rows.
   *
   * @param {Uint8Array | Uint8ClampedArray} rgba Whole rows of `width` pixels, the top row first.
   */
  push(rgba) {
    for (let at = 0; at < rgba.length; at += this.width * 4) {
      this.#shrinkRow(rgba, at);
      this.#addRow();
      this.next++;
    }
  }

  #shrinkRow(rgba, at) {
    const {first, begin, weights} = this.columns;
    const row = this.row;
    for (let t = 0; t < this.newWidth; t++) {
      let red = 0;
      let green = 0;
      let blue = 0;
      let p = at + first[t] * 4;
      for (let k = begin[t]; k < begin[t + 1]; k++, p += 4) {
        const weight = weights[k];
        red += weight * rgba[p];
        green += weight * rgba[p + 1];
        blue += weight * rgba[p + 2];
      }
      row[t * 3] = red;
      row[t * 3 + 1] = green;
      row[t * 3 + 2] = blue;
    }
  }

  #addRow() {
    const {first, begin, weights} = this.rows;
    const row = this.row;
    for (let t = this.open; t < this.newHeight && first[t] <= this.next; t++) {
      const k = begin[t] + this.next - first[t];
      if (k >= begin[t + 1]) {
        if (t === this.open) this.open++;
        continue;
      }
      const weight = weights[k];
      for (let i = 0, at = t * row.length; i < row.length; i++) this.sums[at + i] += weight * row[i];
    }
  }

  /** @returns {Uint8ClampedArray} RGB of shape (newHeight, newWidth, 3), rounded half to even. */
  finish() {
    return Uint8ClampedArray.from(this.sums);
  }
}
