"""Weights that share a few values: k-means, then the values trained, as in Deep Compression."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from slimderm.components.common.checks import check_whole
from slimderm.components.model_graph.calls import layers_by_path
from slimderm.components.network_compression.clusters import clusters, nearest
from slimderm.components.network_compression.kernel_bits import (
    LARGEST_BITS,
    Bits,
    check_bits,
    layers_with_bits,
)
from slimderm.components.network_compression.passes import (
    Compressed,
    Means,
    Order,
    Pass,
    compared,
)
from slimderm.components.network_compression.reparametrised import Kernel, trained


class SharedKernel(Kernel):
    """A kernel of a few trained values; the gradient of each is the sum over its weights.

    Weights that are zero stay zero: zero is no value that is trained.
    """

    def __init__(self, kernel: npt.NDArray[Any], bits: int) -> None:
        zero = kernel == 0
        some = kernel[~zero]
        number = 2**bits - int(zero.any())
        self.start = clusters(some, number) if some.size else np.zeros(1)
        self.indices = np.where(zero, 0, nearest(kernel, self.start) + 1).astype(np.int32)

    def build(self, layer: Any) -> None:
        """Add the values that are trained instead of the kernel."""
        layer._kernel.trainable = False
        self.values = layer.add_weight(
            shape=(len(self.start),),
            initializer=lambda shape, dtype=None: ops.cast(self.start, dtype),
            name="shared_values",
        )

    def value(self, layer: Any) -> Any:
        """Return the kernel of shared values."""
        zero = ops.zeros((1,), self.values.dtype)
        return ops.take(ops.concatenate([zero, self.values]), self.indices)


def share_bias(layer: Any, number: int) -> str:
    """Let a layer's bias have so many values at most; return that in words, nothing without one."""
    if getattr(layer, "bias", None) is None:
        return ""
    bias = np.asarray(ops.convert_to_numpy(layer.bias))
    values = clusters(bias, number)
    layer.bias.assign(values[nearest(bias, values)])
    return f", {len(values)} of the bias"


@dataclass(frozen=True)
class ShareWeights(Pass):
    """Give each kernel at most 2**bits values, zero among them; train the values.

    The model stays as large as it is in memory. It is the file that gets small: `.slim` files
    write a value's number instead of the value, by Huffman's code.

    Attributes
    ----------
    bits : int or mapping
        In 1 to 8: for all kernels, or by path of the layer; ``*`` and ``?`` stand for any
        characters, and the first pattern that fits counts.
    biases : int, optional
        In 1 to 8: the bits of each bias of these layers. It gets the means of 2**biases clusters
        when training is over. None leaves biases as they are.

    References
    ----------
    Han, Mao, Dally, "Deep Compression", arXiv:1510.00149, sections 3 and 4.
    """

    bits: Bits = 5
    biases: int | None = None
    order: ClassVar[Order] = Order.VALUES

    def __post_init__(self) -> None:
        check_bits(self.bits, least=1)
        if self.biases is not None:
            check_whole("biases", self.biases, least=1, most=LARGEST_BITS)

    @property
    def names_layers(self) -> bool:
        """Whether bits are given by layer, and not for all of them."""
        return isinstance(self.bits, Mapping) and "*" not in self.bits

    def _compress(self, model: keras.Model, means: Means) -> Compressed:
        found, left = layers_with_bits(model, self.bits)
        kernels = {
            path: SharedKernel(np.asarray(ops.convert_to_numpy(layer.kernel)), bits)
            for path, (layer, bits) in found.items()
        }
        after = trained(model, kernels, means.train)
        changed = {
            path: f"{len(kernel.start)} values{' and zero' if (kernel.indices == 0).any() else ''}"
            for path, kernel in kernels.items()
        }
        if self.biases is not None:
            for path in kernels:
                changed[path] += share_bias(layers_by_path(after)[path], 2**self.biases)
        return compared(model, after, changed, left)
