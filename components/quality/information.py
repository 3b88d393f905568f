"""Information: variation of information and normalised mutual information of gray values."""

import numpy as np
import numpy.typing as npt

from slimderm.components.quality import kernels

Gray = npt.NDArray[np.uint8]


def entropies(original: Gray, other: Gray) -> tuple[float, float, float]:
    """Give the entropies of two gray images (H, W) and their joint entropy, in bits.

    One joint histogram of 256 x 256 cells serves both metrics below.
    """
    joint = kernels.joint_histogram(original, other)
    margins = joint.sum(axis=1, dtype=np.int32), joint.sum(axis=0, dtype=np.int32)
    return kernels.entropy(margins[0]), kernels.entropy(margins[1]), kernels.entropy(joint)


def variation_of_information(x: float, y: float, joint: float) -> float:
    """``H(X|Y) + H(Y|X)`` in bits from `entropies`, at least 0, 0 for equal images (Meila 2007)."""
    return max(0.0, 2 * joint - x - y)


def normalised_mutual_information(x: float, y: float, joint: float) -> float:
    """``(H(X) + H(Y)) / H(X, Y)`` from `entropies`, in [1, 2], 2 for equal images (Studholme 1998).

    Two constant images, which hold no information to share, get 2.
    """
    return (x + y) / joint if joint else 2.0
