"""Shape: Hu's seven moments of the gray image (paper, section 4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from slimderm.components.quality.metrics.base import Image, Pair


def hu_moments(image: Image) -> npt.NDArray[np.float64]:
    """Give Hu's seven invariants of the gray image, float64 (7,).

    Of the gray values themselves, and not on a logarithmic scale: the higher moments change their
    sign from one noise to the next, and a logarithm would make that the whole distance.
    """
    import cv2
    import numpy as np

    return np.asarray(cv2.HuMoments(cv2.moments(image.gray)).ravel(), np.float64)


def hu_distance(pair: Pair) -> float:
    """Euclidean distance of two sets of Hu moments, at least 0."""
    import numpy as np

    return float(np.linalg.norm(pair.original.once(hu_moments) - pair.other.once(hu_moments)))


def hu_correlation(pair: Pair) -> float:
    """Pearson correlation of two sets of Hu moments, in [-1, 1]; 1 where they are equal."""
    import numpy as np

    original, other = pair.original.once(hu_moments), pair.other.once(hu_moments)
    if np.array_equal(original, other):
        return 1.0
    centred = original - original.mean(), other - other.mean()
    norms = np.linalg.norm(centred[0]) * np.linalg.norm(centred[1])
    return float(centred[0] @ centred[1] / norms) if norms else 0.0
