"""Shape: Hu's seven moments of the gray image (paper, section 4.3)."""

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def hu_moments(gray: npt.NDArray[np.uint8]) -> Floats:
    """Give Hu's seven invariants of a gray image (H, W), float64 (7,).

    Of the gray values themselves, and not on a logarithmic scale: the higher moments change their
    sign from one noise to the next, and a logarithm would make that the whole distance.
    """
    return np.asarray(cv2.HuMoments(cv2.moments(gray)).ravel(), np.float64)


def hu_distance(original: Floats, other: Floats) -> float:
    """Euclidean distance of two sets of Hu moments, at least 0."""
    return float(np.linalg.norm(original - other))


def hu_correlation(original: Floats, other: Floats) -> float:
    """Pearson correlation of two sets of Hu moments, in [-1, 1]; 1 where they are equal."""
    if np.array_equal(original, other):
        return 1.0
    centred = original - original.mean(), other - other.mean()
    norms = np.linalg.norm(centred[0]) * np.linalg.norm(centred[1])
    return float(centred[0] @ centred[1] / norms) if norms else 0.0
