"""Texture: Haralick's features of the gray image (Haralick et al. 1973; paper, section 4.3)."""

import numpy as np
import numpy.typing as npt

from slimderm.components.quality import kernels

Floats = npt.NDArray[np.float64]


def haralick_features(gray: npt.NDArray[np.uint8]) -> Floats:
    """Give the thirteen features of a gray image (H, W), mean over four directions, float64 (13,).

    Not scaled, as in the paper: the variances weigh most in a distance. The same as
    `mahotas.features.haralick`, from which the definitions are (of the tenth feature, too).
    """
    levels = int(gray.max()) + 1
    counts = kernels.cooccurrences(gray)
    features = [kernels.haralick(direction, levels) for direction in counts]
    return np.asarray(np.mean(features, axis=0), np.float64)


def haralick_distance(original: Floats, other: Floats) -> float:
    """Euclidean distance of two sets of features, at least 0."""
    return float(np.linalg.norm(original - other))
