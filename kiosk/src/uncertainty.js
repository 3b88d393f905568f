/** How undecided an answer is, as a number and as a word. */

/** Bounds of the entropy's share of its greatest, below which an answer has that name. */
const LEVELS = [
  [0.35, 'decided'],
  [0.7, 'leaning'],
  [Infinity, 'undecided'],
];

/**
 * Entropy of probabilities.
 *
 * @param {ArrayLike<number>} probabilities
 * @returns {{bits: number, share: number, level: string}} Share of what equal probabilities have.
 */
export function uncertainty(probabilities) {
  const terms = Array.from(probabilities, (p) => (p > 0 ? -p * Math.log2(p) : 0));
  const bits = terms.reduce((sum, term) => sum + term, 0);
  const share = probabilities.length > 1 ? bits / Math.log2(probabilities.length) : 0;
  return {bits, share, level: LEVELS.find(([bound]) => share < bound)[1]};
}
