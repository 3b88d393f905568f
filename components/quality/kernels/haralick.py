"""Haralick's features."""

import numpy as np

from slimderm.components.quality.kernels.compiled import Bytes, Counts, Floats, compiled

LEVELS = 256
NUM_FEATURES = 13


@compiled
def cooccurrences(gray: Bytes) -> Counts:
    """Count pairs of neighbours to the right, down right, down, down left: int32 (4, 256, 256)."""
    height, width = gray.shape
    counts = np.zeros((4, LEVELS, LEVELS), np.int32)
    for i in range(height):
        row = gray[i]
        for j in range(width - 1):
            counts[0, row[j], row[j + 1]] += 1
        if i + 1 < height:
            below = gray[i + 1]
            for j in range(width):
                counts[2, row[j], below[j]] += 1
            for j in range(width - 1):
                counts[1, row[j], below[j + 1]] += 1
                counts[3, row[j + 1], below[j]] += 1
    return counts


@compiled
def haralick(counts: Counts, num_levels: int) -> Floats:
    """Haralick's thirteen features from one direction of `cooccurrences`, float64 (13,).

    `num_levels` is the highest grey level plus one. Pairs are counted both ways, as is usual, so
    both margins are the same and the features 12 and 13 need no second pass.
    """
    features = np.zeros(NUM_FEATURES)
    total = 2.0 * counts.sum()
    if total == 0:
        return features
    margin = np.zeros(num_levels)
    plus, minus = np.zeros(2 * num_levels), np.zeros(num_levels)
    energy, product, homogeneity, joint_entropy = 0.0, 0.0, 0.0, 0.0
    for a in range(num_levels):
        for b in range(a, num_levels):
            count = counts[a, b] + counts[b, a]  # at a == b twice the count, as it should be
            if count:
                p = count / total
                cells = 1.0 if a == b else 2.0
                energy += cells * p * p
                product += cells * p * a * b
                homogeneity += cells * p / (1 + (a - b) * (a - b))
                joint_entropy -= cells * p * np.log2(p)
                plus[a + b] += cells * p
                minus[b - a] += cells * p
                margin[a] += p
                if a != b:
                    margin[b] += p
    mean, square = 0.0, 0.0
    for level in range(num_levels):
        mean += margin[level] * level
        square += margin[level] * level * level
    variance = max(0.0, square - mean * mean)
    mean_plus, square_plus = 0.0, 0.0
    for level in range(2 * num_levels):
        mean_plus += plus[level] * level
        square_plus += plus[level] * level * level
    contrast, mean_minus, square_minus = 0.0, 0.0, 0.0
    for level in range(num_levels):
        contrast += minus[level] * level * level
        mean_minus += minus[level] / num_levels
        square_minus += minus[level] * minus[level] / num_levels
    own = _entropy_of_shares(margin)
    features[0] = energy
    features[1] = contrast
    features[2] = (product - mean * mean) / variance if variance > 0 else 1.0
    features[3] = variance
    features[4] = homogeneity
    features[5] = mean_plus
    features[6] = square_plus - mean_plus * mean_plus
    features[7] = _entropy_of_shares(plus)
    features[8] = joint_entropy
    features[9] = square_minus - mean_minus * mean_minus
    features[10] = _entropy_of_shares(minus)
    features[11] = (joint_entropy - 2 * own) / own if own > 0 else 0.0
    features[12] = np.sqrt(max(0.0, 1 - np.exp(-2 * (2 * own - joint_entropy))))
    return features


@compiled
def _entropy_of_shares(shares: Floats) -> float:
    bits = 0.0
    for share in shares:
        if share > 0:
            bits -= share * np.log2(share)
    return bits
