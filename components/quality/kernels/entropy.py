"""Histograms of pairs of grey levels, and entropies."""

import numpy as np

from slimderm.components.quality.kernels.compiled import Bytes, Counts, compiled

LEVELS = 256


@compiled
def joint_histogram(x: Bytes, y: Bytes) -> Counts:
    """How often each pair of grey levels stands at one place: int32 (256, 256)."""
    joint = np.zeros((LEVELS, LEVELS), np.int32)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            joint[x[i, j], y[i, j]] += 1
    return joint


@compiled
def entropy(counts: Counts) -> float:
    """Entropy in bits of a histogram of any shape; 0 where it is empty."""
    total, logs = 0.0, 0.0
    for count in counts.flat:
        if count:
            total += count
            logs += count * np.log2(count)
    return max(0.0, np.log2(total) - logs / total) if total else 0.0
