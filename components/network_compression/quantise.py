"""Kernels on a grid of few bits, trained on it: an int8 product has a network made for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from slimderm.components.common.checks import check_whole
from slimderm.components.common.errors import ParameterError
from slimderm.components.keras_support.gradients import with_gradient
from slimderm.components.keras_support.listening import listening, pairs
from slimderm.components.network_compression.kernel_bits import (
    Bits,
    check_bits,
    layers_with_bits,
)
from slimderm.components.network_compression.passes import (
    Batches,
    Compressed,
    Means,
    Order,
    Pass,
    compared,
)
from slimderm.components.network_compression.reparametrised import Kernel, trained

LEAST_BITS = 2
SMALLEST = 1e-30  # of a channel's largest magnitude; below, scales would be no normal numbers
Range = tuple[float, float]


def on_grid(kernel: Any, bits: int) -> Any:
    """Return each channel's nearest multiples of its scale: the largest magnitude / (2^(bits-1)-1).

    Parameters
    ----------
    kernel : tensor of shape (..., C)
        A scale for each of C; the scale of a channel of zeros is no matter.
    bits : int
        Whole numbers from -(2^(bits-1)-1) on, as many below zero as above.

    References
    ----------
    LiteRT 8-bit quantization specification: weights are symmetric, per channel, without -128.
    """
    most = 2 ** (bits - 1) - 1
    largest = ops.max(ops.abs(kernel), axis=tuple(range(len(kernel.shape) - 1)), keepdims=True)
    scale = ops.where(largest > SMALLEST, largest, ops.ones_like(largest)) / most
    return (ops.round(kernel / scale) + 0.0) * scale  # + 0.0: no zero has a sign


def rounded(values: Any, bits: int, limits: Range) -> Any:
    """Return values on one grid over a range, zero one of its points, as int8 inputs are.

    Parameters
    ----------
    values : tensor
        Of any shape. Gradients pass within the range, and are zero outside.
    bits : int
        The grid has 2^bits points.
    limits : tuple of float
        Lowest value, at most 0, and highest, above it; both are moved by less than a step.
    """
    low, high = limits
    steps = 2**bits - 1
    scale = (high - low) / steps
    zero = float(np.round(-low / scale))

    def forward(values: Any) -> Any:
        return (ops.clip(ops.round(values / scale) + zero, 0, steps) - zero) * scale

    def backward(values: Any, gradient: Any) -> Any:
        inside = ops.logical_and(values >= -zero * scale, values <= (steps - zero) * scale)
        return gradient * ops.cast(inside, gradient.dtype)

    return with_gradient(forward, backward)(values)


def input_ranges(model: keras.Model, layers: dict[str, Any], data: Batches) -> dict[str, Range]:
    """Measure the lowest and the highest value that each layer is called with, and zero.

    Raises
    ------
    ParameterError
        When there is no batch, or one that is no pair of inputs and targets.
    """
    found: dict[int, Range] = {id(layer): (0.0, 0.0) for layer in layers.values()}

    def note(layer: Any, inputs: Any) -> None:
        low, high = found[id(layer)]
        found[id(layer)] = min(low, float(ops.min(inputs))), max(high, float(ops.max(inputs)))

    with listening(list(layers.values()), note):
        for inputs, _ in pairs(data):
            model(inputs, training=False)
    return {path: found[id(layer)] for path, layer in layers.items()}


class GridKernel(Kernel):
    """The nearest kernel on the grid; gradients go through the rounding as if there was none.

    Weights that are zero stay zero.
    """

    def __init__(
        self, kernel: npt.NDArray[Any], bits: int, activations: int | None, limits: Range | None
    ) -> None:
        self.kept = (kernel != 0).astype(kernel.dtype)
        self.bits, self.activations, self.limits = bits, activations, limits

    def build(self, layer: Any) -> None:
        """Leave the kernel itself to be trained."""

    def value(self, layer: Any) -> Any:
        """Return the kernel on the grid."""
        kernel = ops.multiply(layer._kernel, self.kept)
        return with_gradient(lambda whole: on_grid(whole, self.bits), _through)(kernel)

    def inputs(self, inputs: Any) -> Any:
        """Return inputs on their own grid."""
        if self.activations is None or self.limits is None or self.limits[0] == self.limits[1]:
            return inputs
        return rounded(inputs, self.activations, self.limits)


def _through(values: Any, gradient: Any) -> Any:
    return gradient


@dataclass(frozen=True)
class Quantise(Pass):
    """Put each kernel on a grid of few bits, with a scale a channel; train it there.

    The model stays a plain one that computes in floating point. Its `.slim` file is small, and an
    int8 product of it has the very kernels that were trained.

    Attributes
    ----------
    bits : int or mapping
        In 2 to 8: for all kernels, or by path of the layer; ``*`` and ``?`` stand for any
        characters, and the first pattern that fits counts.
    activations : int, optional
        In 2 to 8: while it is trained, what layers multiply with is rounded, too, over the range
        that the data has before. Of this nothing is left in the model.

    References
    ----------
    Jacob et al., "Quantization and Training of Neural Networks for Efficient
    Integer-Arithmetic-Only Inference", arXiv:1712.05877, section 3.
    """

    bits: Bits = 8
    activations: int | None = None
    order: ClassVar[Order] = Order.VALUES

    def __post_init__(self) -> None:
        check_bits(self.bits, least=LEAST_BITS)
        if self.activations is not None:
            check_whole("activations", self.activations, least=LEAST_BITS, most=8)

    @property
    def names_layers(self) -> bool:
        """Whether bits are given by layer, and not for all of them."""
        return isinstance(self.bits, Mapping) and "*" not in self.bits

    def _compress(self, model: keras.Model, means: Means) -> Compressed:
        found, left = layers_with_bits(model, self.bits)
        ranges: dict[str, Range] = {}
        if self.activations is not None:
            if means.data is None:
                raise ParameterError("data: received none, expected batches for activations")
            layers = {path: layer for path, (layer, _) in found.items()}
            ranges = input_ranges(model, layers, means.data)
        kernels = {
            path: GridKernel(
                np.asarray(ops.convert_to_numpy(layer.kernel)),
                bits,
                self.activations,
                ranges.get(path),
            )
            for path, (layer, bits) in found.items()
        }
        after = trained(model, kernels, means.train)
        changed = {path: f"{bits} bits and a scale a channel" for path, (_, bits) in found.items()}
        return compared(model, after, changed, left)
