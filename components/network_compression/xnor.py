"""Layers whose weights and inputs are both ±1: XNOR-Net.

Each of them becomes a small model: batch normalization, the sign of its outputs, then the layer
with a kernel of ±α. All are Keras's own layers and operations. `slimderm.packed` computes them by
counting bits.

A scale α is rounded to bfloat16. Sums of ±α are then exact in float32, in whatever order they are
added, and counting bits gives the very same outputs.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from slimderm.components.common.checks import check_name
from slimderm.components.keras_support.listening import pairs
from slimderm.components.keras_support.statistics import recompute_statistics
from slimderm.components.model_graph.calls import layers_by_path
from slimderm.components.network_compression.binarise import SCALES, BinaryKernel
from slimderm.components.network_compression.factors import groups_of, last
from slimderm.components.network_compression.outermost import outermost
from slimderm.components.network_compression.passes import (
    Compressed,
    Means,
    Order,
    Pass,
    compared,
)
from slimderm.components.network_compression.reparametrised import trained
from slimderm.components.network_compression.replaceable import inputs_of, with_plain_kernels
from slimderm.components.network_compression.rewrite import rewrite
from slimderm.components.network_compression.signs import sign

MOST_INPUTS = 2**16  # of one output; sums of as many bfloat16 numbers of one size are exact


@dataclass(frozen=True)
class XNOR(Pass):
    """Compute layers with weights and inputs of ±1, and train what is behind both signs.

    Batch normalization comes before the sign where none is there: its inputs would often all be
    positive. Padding with zeros stays: what lies outside of the image adds nothing to a sum. The
    kernels are frozen afterwards, so that a later training keeps their two values.

    Attributes
    ----------
    layers : sequence of str, optional
        By path; ``*`` and ``?`` stand for any characters. Where not given, all dense layers and
        convolutions but the first and the last, on which accuracy depends most.
    scale : str
        A key of `slimderm.components.network_compression.binarise.SCALES`.
    input_scale : bool
        Multiply a layer's outputs, its bias with them, by K: the mean magnitude of the inputs that
        each of them is made of.

    References
    ----------
    Rastegari et al., "XNOR-Net", arXiv:1603.05279, sections 3.2 and 4.2.
    """

    layers: Sequence[str] | None = None
    scale: str = "filter"
    input_scale: bool = False
    order: ClassVar[Order] = Order.VALUES
    keeps_zeros: ClassVar[bool] = False
    freezes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_name("scale", self.scale, SCALES)

    def _compress(self, model: keras.Model, means: Means) -> Compressed:
        found, left = with_plain_kernels(model, self.layers)
        ends = outermost(model) if self.layers is None else set()
        tensors = inputs_of(model)
        blocks: dict[str, keras.Model] = {}
        for path, layer in found.items():
            why = "the first and the last layers keep their values" if path in ends else ""
            why = why or self._why_not(layer, tensors[path])
            if why:
                left[path] = why
            else:
                blocks[path] = block(layer, tensors[path], input_scale=self.input_scale)
        chains = {path: [(made, made.get_weights())] for path, made in blocks.items()}
        inner = {path: f"{path}/{found[path].name}_binary" for path in blocks}
        after = self._trained(rewrite(model, chains), inner, means)
        changed = dict.fromkeys(blocks, "weights and inputs of ±1, one bit a weight")
        return compared(model, after, changed, left)

    def _trained(self, model: keras.Model, inner: Mapping[str, str], means: Means) -> keras.Model:
        def train(binary: keras.Model) -> None:
            if means.data is not None and inner:
                recompute_statistics(binary, (inputs for inputs, _ in pairs(means.data)))
            means.train(binary)

        kernels = {path: BinaryKernel(self.scale, rounded=True) for path in inner.values()}
        after = trained(model, kernels, train)
        layers = layers_by_path(after)
        for path in inner.values():
            layers[path].trainable = False
        return after

    def _why_not(self, layer: Any, tensors: Sequence[Any]) -> str:
        """Say why a layer stays as it is, empty where it does not."""
        number = math.prod(layer.kernel.shape[:-1])
        if number >= MOST_INPUTS:
            return f"each output is a sum of {number:,}, fewer than {MOST_INPUTS:,} are exact"
        if len({len(tensor.shape) for tensor in tensors}) > 1:
            return "it is called with inputs of several ranks"
        if not self.input_scale:
            return ""
        if groups_of(layer) > 1:
            return f"it has {groups_of(layer)} groups, and K is the mean over all channels"
        if getattr(layer, "padding", "") == "causal":
            return "it has causal padding, which the operation that makes K has not"
        return ""


def block(layer: Any, tensors: Sequence[Any], *, input_scale: bool) -> keras.Model:
    """Return batch normalization, sign and a layer, as a model with the layer's name and weights.

    Parameters
    ----------
    layer : keras.Layer
        Dense or a convolution, built.
    tensors : sequence of KerasTensor
        What it is called with, all of one rank; where batch normalization makes all of them, no
        other one is put in.
    input_scale : bool
        As for `XNOR`.
    """
    sizes = zip(*(tensor.shape[1:] for tensor in tensors), strict=True)
    shape = [each[0] if len(set(each)) == 1 else None for each in sizes]
    inputs = keras.Input(shape, dtype=tensors[0].dtype, name=f"{layer.name}_inputs")
    values = inputs
    if not all(_is_normalised(tensor) for tensor in tensors):
        values = keras.layers.BatchNormalization(
            _channels(layer), name=f"{layer.name}_normalised", dtype=layer.dtype_policy
        )(values)
    changes = {"activation": "linear"} if input_scale else {}
    binary = type(layer).from_config(last(layer, name=f"{layer.name}_binary", **changes))
    outputs = binary(sign(values))
    binary.set_weights(layer.get_weights())
    if input_scale:
        outputs = keras.layers.Activation(
            layer.activation, name=f"{layer.name}_activation", dtype=layer.dtype_policy
        )(outputs * magnitudes(layer, values))
    return keras.Model(inputs, outputs, name=layer.name)


def magnitudes(layer: Any, values: Any) -> Any:
    """Return K, the mean of |x| over all that an output is made of, zero outside of the image.

    Parameters
    ----------
    layer : keras.Layer
        Dense or a convolution.
    values : tensor
        Its inputs before the sign.

    Returns
    -------
    tensor
        Of the layer's outputs' shape, with one channel.
    """
    means = ops.mean(ops.abs(values), axis=_channels(layer), keepdims=True)
    if isinstance(layer, keras.layers.Dense):
        return means
    box = np.full((*layer.kernel_size, 1, 1), 1 / math.prod(layer.kernel_size), np.float32)
    return ops.conv(
        means,
        box,
        strides=layer.strides,
        padding=layer.padding,
        data_format=layer.data_format,
        dilation_rate=layer.dilation_rate,
    )


def _channels(layer: Any) -> int:
    return 1 if getattr(layer, "data_format", None) == "channels_first" else -1


def _is_normalised(tensor: Any) -> bool:
    return isinstance(tensor._keras_history.operation, keras.layers.BatchNormalization)
