"""Kernels of two values, ±α, or of two a filter: one bit a weight in a `.slim` file."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
from keras import ops

from slimderm.components.common.checks import check_name
from slimderm.components.network_compression.outermost import outermost
from slimderm.components.network_compression.passes import (
    Compressed,
    Means,
    Order,
    Pass,
    compared,
)
from slimderm.components.network_compression.reparametrised import Kernel, trained
from slimderm.components.network_compression.replaceable import with_plain_kernels
from slimderm.components.network_compression.signs import sign

SCALES = ("layer", "filter")  # what has an α of its own


class BinaryKernel(Kernel):
    """The signs of a trained kernel, times its mean magnitude, the best scale for given signs.

    Parameters
    ----------
    scale : str
        One of `SCALES`.
    rounded : bool
        Round scales to bfloat16; gradients go straight through.
    """

    def __init__(self, scale: str = "layer", *, rounded: bool = False) -> None:
        self.scale, self.rounded = scale, rounded

    def build(self, layer: Any) -> None:
        """Leave the kernel itself to be trained."""

    def value(self, layer: Any) -> Any:
        """Return the kernel of two values, or of two a filter."""
        kernel = ops.copy(layer._kernel)  # a tensor, no variable
        axes = None if self.scale == "layer" else tuple(range(len(kernel.shape) - 1))
        scale = ops.mean(ops.abs(kernel), axis=axes)
        if self.rounded:
            rounded = ops.cast(ops.cast(scale, "bfloat16"), scale.dtype)
            scale = scale + ops.stop_gradient(rounded - scale)  # both steps are exact
        return sign(kernel) * scale


@dataclass(frozen=True)
class Binarise(Pass):
    """Give each kernel the two values ±α, and train what is behind the signs.

    The model stays as large in memory and computes in floating point: the file gets small.

    Attributes
    ----------
    layers : sequence of str, optional
        By path; ``*`` and ``?`` stand for any characters. Where not given, all dense layers and
        convolutions but the first and the last, on which accuracy depends most.
    scale : str
        ``layer``, one α each, or ``filter``, one for each filter or unit.

    References
    ----------
    Rastegari et al., "XNOR-Net", arXiv:1603.05279, sections 3.1 and 4.1 (binary weights).
    """

    layers: Sequence[str] | None = None
    scale: str = "layer"
    order: ClassVar[Order] = Order.VALUES
    keeps_zeros: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_name("scale", self.scale, SCALES)

    def _compress(self, model: keras.Model, means: Means) -> Compressed:
        found, left = with_plain_kernels(model, self.layers)
        if self.layers is None:
            for path in outermost(model) & found.keys():
                del found[path]
                left[path] = "the first and the last layers keep their values"
        kernels = {path: BinaryKernel(self.scale) for path in found}
        after = trained(model, kernels, means.train)
        changed = dict.fromkeys(found, "two values, one bit a weight")
        return compared(model, after, changed, left)
