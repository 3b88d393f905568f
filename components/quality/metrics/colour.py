"""Colour: histograms of the three channels, intersected and compared (paper, section 4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from slimderm.components.quality.metrics.base import Image, Pair

BINS = 256


def histograms(image: Image) -> npt.NDArray[np.float32]:
    """Give each channel's histogram.

    Returns
    -------
    float32 array of shape (3, 256)
        Shares; each row sums to 1.
    """
    import cv2
    import numpy as np

    pixels = image.pixels
    counts = [cv2.calcHist([pixels], [channel], None, [BINS], [0, BINS]) for channel in range(3)]
    return np.asarray(np.stack([c.ravel() for c in counts]) / (pixels.size / 3), np.float32)


def intersection(pair: Pair) -> float:
    """Shared part of two sets of histograms, in [0, 1], 1 for equal ones; mean over channels."""
    import numpy as np

    original, other = pair.original.once(histograms), pair.other.once(histograms)
    return float(np.minimum(original, other).sum(axis=1).mean())


def bhattacharyya(pair: Pair) -> float:
    """Bhattacharyya distance as OpenCV has it, in [0, 1], 0 for equal ones; mean over channels.

    ``sqrt(1 - sum(sqrt(p * q)))`` for histograms p and q that each sum to 1, also known as the
    Hellinger distance.
    """
    import cv2
    import numpy as np

    channels = zip(pair.original.once(histograms), pair.other.once(histograms), strict=True)
    return float(np.mean([cv2.compareHist(p, q, cv2.HISTCMP_BHATTACHARYYA) for p, q in channels]))
