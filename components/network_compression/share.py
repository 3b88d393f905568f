"""Weights that share a few values: k-means, then the values trained, as in Deep Compression."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
import numpy.typing as npt

from slimderm.components.common.checks import check_whole
from slimderm.components.model_graph.calls import layers_by_path
from slimderm.components.network_compression.clusters import clusters, nearest
from slimderm.components.network_compression.passes import (
    Compressed,
    Means,
    Order,
    Pass,
    chosen,
    compared,
)
from slimderm.components.network_compression.reparametrised import has_plain_kernel, trained

LARGEST_BITS = 8


class SharedKernel:
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
            initializer=lambda shape, dtype=None: keras.ops.cast(self.start, dtype),
            name="shared_values",
        )

    def value(self, layer: Any) -> Any:
        """Return the kernel of shared values."""
        zero = keras.ops.zeros((1,), self.values.dtype)
        return keras.ops.take(keras.ops.concatenate([zero, self.values]), self.indices)


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

    References
    ----------
    Han, Mao, Dally, "Deep Compression", arXiv:1510.00149, sections 3 and 4.
    """

    bits: int | Mapping[str, int] = 5
    order: ClassVar[Order] = Order.VALUES

    def __post_init__(self) -> None:
        given = self.bits if isinstance(self.bits, Mapping) else {"*": self.bits}
        for layer, bits in given.items():
            check_whole("bits", bits, most=LARGEST_BITS, where=f" for {layer}")

    def _compress(self, model: keras.Model, means: Means) -> Compressed:
        kernels, left = self._kernels(model)
        after = trained(model, kernels, means.train)
        changed = {
            path: f"{len(kernel.start)} values{' and zero' if (kernel.indices == 0).any() else ''}"
            for path, kernel in kernels.items()
        }
        return compared(model, after, changed, left)

    def _kernels(self, model: keras.Model) -> tuple[dict[str, SharedKernel], dict[str, str]]:
        layers = {
            path: layer for path, layer in layers_by_path(model).items() if hasattr(layer, "kernel")
        }
        given = self.bits if isinstance(self.bits, Mapping) else {"*": self.bits}
        bits_of: dict[str, int] = {}
        for pattern, bits in given.items():
            for path in chosen(layers, (pattern,)):
                bits_of.setdefault(path, bits)
        kernels, left = {}, {}
        for path, bits in bits_of.items():
            if has_plain_kernel(layers[path]):
                kernel = np.asarray(keras.ops.convert_to_numpy(layers[path].kernel))
                kernels[path] = SharedKernel(kernel, bits)
            else:
                left[path] = f"a {type(layers[path]).__name__} has no plain kernel to share"
        return kernels, left
