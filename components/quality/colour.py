"""Colour: histograms of the three channels, intersected and compared (paper, section 4.3)."""

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
BINS = 256


def histograms(image: Pixels) -> Floats:
    """Give each channel's histogram.

    Parameters
    ----------
    image : uint8 array of shape (H, W, 3)

    Returns
    -------
    float32 array of shape (3, 256)
        Shares; each row sums to 1.
    """
    counts = [cv2.calcHist([image], [channel], None, [BINS], [0, BINS]) for channel in range(3)]
    return np.asarray(np.stack([c.ravel() for c in counts]) / (image.size / 3), np.float32)


def histogram_intersection(original: Floats, other: Floats) -> float:
    """Shared part of two sets of histograms, in [0, 1], 1 for equal ones; mean over channels."""
    return float(np.minimum(original, other).sum(axis=1).mean())


def bhattacharyya(original: Floats, other: Floats) -> float:
    """Bhattacharyya distance as OpenCV has it, in [0, 1], 0 for equal ones; mean over channels.

    ``sqrt(1 - sum(sqrt(p * q)))`` for histograms p and q that each sum to 1, also known as the
    Hellinger distance.
    """
    pairs = zip(original, other, strict=True)
    return float(np.mean([cv2.compareHist(p, q, cv2.HISTCMP_BHATTACHARYYA) for p, q in pairs]))
