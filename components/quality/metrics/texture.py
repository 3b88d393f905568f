"""Texture: Haralick's features of the gray image (Haralick et al. 1973; paper, section 4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from slimderm.components.quality.metrics.base import Image, Pair


def haralick_features(image: Image) -> npt.NDArray[np.float64]:
    """Give the thirteen features of the gray image, mean over four directions, float64 (13,).

    Not scaled, as in the paper: the variances weigh most in a distance. The same as
    `mahotas.features.haralick`, from which the definitions are (of the tenth feature, too).
    """
    import numpy as np

    from slimderm.components.quality.kernels.haralick import cooccurrences, haralick

    levels = int(image.gray.max()) + 1
    features = [haralick(direction, levels) for direction in cooccurrences(image.gray)]
    return np.asarray(np.mean(features, axis=0), np.float64)


def haralick_distance(pair: Pair) -> float:
    """Euclidean distance of two sets of features, at least 0."""
    import numpy as np

    original, other = (image.once(haralick_features) for image in (pair.original, pair.other))
    return float(np.linalg.norm(original - other))
