"""Texture: Haralick's features of the gray image (Haralick et al. 1973; paper, section 4.3)."""

import mahotas
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def haralick_features(gray: npt.NDArray[np.uint8]) -> Floats:
    """Give the thirteen features of a gray image (H, W), mean over four directions, float64 (13,).

    Not scaled, as in the paper: the variances weigh most in a distance.
    """
    return np.asarray(mahotas.features.haralick(gray, return_mean=True), np.float64)


def haralick_distance(original: Floats, other: Floats) -> float:
    """Euclidean distance of two sets of features, at least 0."""
    return float(np.linalg.norm(original - other))
