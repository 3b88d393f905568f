"""Kernels of two values, ±α: one bit a weight in a `.slim` file."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
from keras import ops

from slimderm.components.network_compression.passes import (
    Compressed,
    Means,
    Order,
    Pass,
    compared,
)
from slimderm.components.network_compression.reparametrised import KINDS, trained
from slimderm.components.network_compression.replaceable import replaceable
from slimderm.components.network_compression.signs import sign


class BinaryKernel:
    """The signs of a trained kernel, times its mean magnitude, the best scale for given signs."""

    def build(self, layer: Any) -> None:
        """Leave the kernel itself to be trained."""

    def value(self, layer: Any) -> Any:
        """Return the kernel of two values."""
        kernel = ops.copy(layer._kernel)  # a tensor, no variable
        return sign(kernel) * ops.mean(ops.abs(kernel))


@dataclass(frozen=True)
class Binarise(Pass):
    """Give each kernel the two values ±α, and train what is behind the signs.

    The model stays as large in memory and computes in floating point: the file gets small.

    Attributes
    ----------
    layers : sequence of str, optional
        By path; ``*`` and ``?`` stand for any characters. Where not given, all dense layers and
        convolutions but the first and the last, on which accuracy depends most.

    References
    ----------
    Rastegari et al., "XNOR-Net", arXiv:1603.05279, sections 3.1 and 4.1 (binary weights).
    """

    layers: Sequence[str] | None = None
    order: ClassVar[Order] = Order.VALUES

    def _compress(self, model: keras.Model, means: Means) -> Compressed:
        found, left = replaceable(model, KINDS, self.layers)
        if self.layers is None:
            for path in list(found)[:1] + list(found)[1:][-1:]:
                del found[path]
                left[path] = "the first and the last layer keep their values"
        after = trained(model, {path: BinaryKernel() for path in found}, means.train)
        changed = dict.fromkeys(found, "two values, one bit a weight")
        return compared(model, after, changed, left)
