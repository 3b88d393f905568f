"""Kernels of a low rank while they are trained: dynamic SVD.

Each step computes with the truncated kernel, and gradients go through the truncation to the whole
kernel, so that directions may still be exchanged. In the end the kernel has its rank, and becomes
two factors without loss.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from slimderm.components.common.checks import check_name
from slimderm.components.common.errors import ParameterError
from slimderm.components.keras_support.gradients import with_gradient
from slimderm.components.network_compression.factors import break_even, get, split
from slimderm.components.network_compression.low_rank import LowRank
from slimderm.components.network_compression.passes import (
    Compressed,
    Means,
    Order,
    Pass,
    compared,
)
from slimderm.components.network_compression.ranks import Ranks
from slimderm.components.network_compression.reparametrised import Kernel, trained
from slimderm.components.network_compression.replaceable import replaceable

GAP = 1e-3  # of the largest singular value squared: below, directions count as equal


def straight_through(matrix: Any, gradient: Any, rank: int, right: Any) -> Any:
    """Return the gradient as it is, as if nothing was truncated."""
    return gradient


def tangent(matrix: Any, gradient: Any, rank: int, right: Any) -> Any:
    """Return the gradient's part along matrices of the same rank.

    P_U G + G P_V - P_U G P_V, where P_U and P_V project on the singular vectors that are kept: the
    derivative of the truncation where the discarded singular values are zero.
    """
    left, _ = ops.qr(ops.matmul(matrix, right))
    within = ops.matmul(left, ops.matmul(ops.transpose(left), gradient))
    rest = gradient - within
    return within + ops.matmul(ops.matmul(rest, right), ops.transpose(right))


def exact(matrix: Any, gradient: Any, rank: int, right: Any) -> Any:
    """Return the derivative of the truncated SVD; a whole SVD each step, slow for large kernels.

    In the basis of singular vectors a cross entry i ≤ D < j takes
    (σi² Aij + σi σj Aji) / (σi² - σj²); the gap is held above `GAP` of the largest σ².
    """
    left, values, right_t = ops.svd(matrix, full_matrices=False)
    right = ops.transpose(right_t)
    kept = ops.cast(ops.arange(ops.shape(values)[0]) < rank, matrix.dtype)
    inside = ops.matmul(ops.transpose(left), ops.matmul(gradient, right))  # (K, K)
    squares = values**2
    gap = ops.abs(squares[:, None] - squares[None, :])
    gap = ops.maximum(gap, GAP * ops.max(squares) + 1e-30)
    larger = ops.maximum(squares[:, None], squares[None, :])
    product = values[:, None] * values[None, :]
    crossed = (larger * inside + product * ops.transpose(inside)) / gap
    both = kept[:, None] * kept[None, :]
    one = kept[:, None] + kept[None, :] - 2 * both
    mixed = both * inside + one * crossed
    # What lies outside of all singular vectors of a kernel that is not square.
    left_kept, right_kept = left * kept[None, :], right * kept[None, :]
    below = ops.matmul(gradient, right_kept)
    below = below - ops.matmul(left, ops.matmul(ops.transpose(left), below))
    beside = ops.matmul(ops.transpose(left_kept), gradient)
    beside = beside - ops.matmul(ops.matmul(beside, right), right_t)
    return (
        ops.matmul(ops.matmul(left, mixed), right_t)
        + ops.matmul(below, ops.transpose(right_kept))
        + ops.matmul(left_kept, beside)
    )


GRADIENTS: dict[str, Callable[[Any, Any, int, Any], Any]] = {
    "straight_through": straight_through,
    "tangent": tangent,
    "exact": exact,
}


def truncated(matrix: Any, rank: int, right: Any, gradient: str) -> Any:
    """Return W V Vᵀ, whose gradient is one of `GRADIENTS`.

    Parameters
    ----------
    matrix : tensor of shape (m, n)
        W.
    rank : int
        D.
    right : tensor of shape (n, D)
        Its first right singular vectors V.
    gradient : str
        A key of `GRADIENTS`.
    """
    return with_gradient(
        lambda whole: ops.matmul(ops.matmul(whole, right), ops.transpose(right)),
        lambda whole, upstream: GRADIENTS[gradient](whole, upstream, rank, right),
    )(matrix)


class TruncatedKernel(Kernel):
    """A kernel cut to a rank each time that it is used.

    The singular vectors are those of the use before, made better by one subspace iteration: kernels
    change little in a step, and a whole SVD a step is slow.
    """

    def __init__(self, rank: int, gradient: str) -> None:
        self.rank, self.gradient = rank, gradient

    def build(self, layer: Any) -> None:
        """Add the singular vectors; the kernel itself is trained."""
        matrix = np.asarray(ops.convert_to_numpy(layer._kernel), np.float64)
        matrix = matrix.reshape(-1, matrix.shape[-1])
        start = np.linalg.svd(matrix, full_matrices=False)[2][: self.rank].T
        self.right = layer.add_weight(
            shape=start.shape,
            initializer=lambda shape, dtype=None: ops.cast(start, dtype),
            trainable=False,
            name="right_singular_vectors",
        )

    def value(self, layer: Any) -> Any:
        """Return the truncated kernel."""
        kernel = ops.convert_to_tensor(layer._kernel)
        # Of mixed precision kernels come in 16 bits, which no decomposition takes.
        matrix = ops.cast(ops.reshape(kernel, (-1, kernel.shape[-1])), "float32")
        fixed = ops.stop_gradient(matrix)
        moved = ops.matmul(ops.transpose(fixed), ops.matmul(fixed, self.right))
        right = ops.stop_gradient(ops.qr(moved)[0])
        self.right.assign(right)
        return ops.reshape(truncated(matrix, self.rank, right, self.gradient), kernel.shape)


@dataclass(frozen=True)
class Truncate(Pass):
    """Train dense layers or convolutions under a rank, then replace each by its two factors.

    Attributes
    ----------
    rank : int
        D, the same for every layer; a layer that would not get smaller is left alone.
    gradient : str
        A key of `GRADIENTS`: how the truncation is derived.
    scheme : str
        ``dense`` or ``channel``, as `slimderm.components.network_compression.low_rank.LowRank`.
    layers : sequence of str, optional
        As for `slimderm.components.network_compression.low_rank.LowRank`.
    """

    rank: int
    gradient: str = "tangent"
    scheme: str = "dense"
    layers: Sequence[str] | None = None
    order: ClassVar[Order] = Order.SHAPES

    def __post_init__(self) -> None:
        Ranks(rank=self.rank)
        check_name("gradient", self.gradient, GRADIENTS)
        if not get(self.scheme).rows_are_inputs:
            raise ParameterError(
                f"scheme: received {self.scheme!r}, expected dense or channel, whose kernels are "
                "matrices as they are"
            )

    def _compress(self, model: keras.Model, means: Means) -> Compressed:
        scheme = get(self.scheme)
        found, _ = replaceable(model, scheme.kinds, self.layers)
        shapes = {path: split(layer, scheme)[0].shape for path, layer in found.items()}
        Ranks(rank=self.rank).of(shapes, dict)  # refuses one above the largest, before training
        kernels = {
            path: TruncatedKernel(self.rank, self.gradient)
            for path, layer in found.items()
            if self.rank < break_even(layer, scheme)
        }
        plain = trained(model, kernels, means.train)
        made = LowRank(Ranks(rank=self.rank), self.scheme, layers=self.layers).apply(plain)
        said = made.report
        return compared(model, made.model, said.changed, said.left)
