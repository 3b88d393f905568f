"""Information: variation of information and normalised mutual information of gray values."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slimderm.components.quality.metrics.base import Pair


def entropies(pair: Pair) -> tuple[float, float, float]:
    """Give the entropies of two gray images and their joint entropy, in bits.

    One joint histogram of 256 x 256 cells serves both metrics below.
    """
    import numpy as np

    from slimderm.components.quality.kernels.entropy import entropy, joint_histogram

    joint = joint_histogram(pair.original.gray, pair.other.gray)
    margins = joint.sum(axis=1, dtype=np.int32), joint.sum(axis=0, dtype=np.int32)
    return entropy(margins[0]), entropy(margins[1]), entropy(joint)


def variation(pair: Pair) -> float:
    """``H(X|Y) + H(Y|X)`` in bits, at least 0, 0 for equal images (Meila 2007)."""
    x, y, joint = pair.once(entropies)
    return max(0.0, 2 * joint - x - y)


def normalised_mutual(pair: Pair) -> float:
    """``(H(X) + H(Y)) / H(X, Y)``, in [1, 2], 2 for equal images (Studholme 1998).

    Two constant images, which hold no information to share, get 2.
    """
    x, y, joint = pair.once(entropies)
    return (x + y) / joint if joint else 2.0
