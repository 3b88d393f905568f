"""Rules of layers that treat values or channels one by one: activations, dropout, normalisation."""

from collections.abc import Sequence
from types import FunctionType
from typing import Any

import numpy as np
from keras import activations, layers, ops

from slimderm.components.model_graph.by_value import is_by_value
from slimderm.components.model_graph.calls import Call
from slimderm.components.model_graph.channel_labels import (
    Axes,
    Coupling,
    Labels,
    only,
    placed,
    unknown,
)

# Activations that treat every value by itself. A softmax does not: it sums over the channels.
ELEMENTWISE_NAMES = (
    "relu", "relu6", "silu", "gelu", "sigmoid", "tanh", "elu", "selu", "softplus", "softsign",
    "hard_sigmoid", "hard_silu", "hard_tanh", "hard_shrink", "soft_shrink", "tanh_shrink",
    "leaky_relu", "linear", "exponential", "mish", "celu", "log_sigmoid", "squareplus",
    "threshold", "sparse_plus", "sparse_sigmoid",
)  # fmt: skip
# Most are there twice: as an activation and as an operation.
ELEMENTWISE = {
    getattr(module, name)
    for module in (activations, ops)
    for name in ELEMENTWISE_NAMES
    if hasattr(module, name)
}

IDENTITIES: set[type] = {
    layers.ReLU, layers.LeakyReLU, layers.ELU, layers.SpatialDropout1D, layers.SpatialDropout2D,
    layers.SpatialDropout3D, layers.GaussianNoise, layers.GaussianDropout,
    layers.ActivityRegularization, layers.Identity,
}  # fmt: skip


# Of libraries, by module and name, so that none need be imported.
KNOWN_ELEMENTWISE = ("keras_hub.src.utils.keras_utils.gelu_approximate",)


def is_elementwise(function: Any) -> bool:
    """Tell whether a function treats every value by itself."""
    named = f"{getattr(function, '__module__', '')}.{getattr(function, '__name__', '')}"
    known = function in ELEMENTWISE or named in KNOWN_ELEMENTWISE
    return known or (isinstance(function, FunctionType) and is_by_value(function))


def activated(coupling: Coupling, call: Call, labels: Labels | None) -> Labels | None:
    """Pass labels through a layer's own activation; one that mixes channels is a barrier."""
    activation = getattr(call.operation, "activation", None)
    if activation is None or is_elementwise(activation) or type(activation) in IDENTITIES:
        return labels
    name = getattr(activation, "__name__", type(activation).__name__)
    layer = isinstance(activation, layers.Layer)
    obstacle = "is a layer, which is not followed here" if layer else "may mix channels"
    coupling.barrier(call.path, f"activation {name} {obstacle}", labels)
    return None


def same(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Every value by itself."""
    return inputs[0]


def activation(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Every value by itself, if the activation is such a one."""
    return tuple(activated(coupling, call, labels) for labels in inputs[0])


def batch_normalization(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Scale, offset, mean and variance for each channel."""
    layer, axes = call.operation, inputs[0]
    axis = layer.axis % len(axes)
    labels = only(coupling, call, axes, axis)
    for name in ("gamma", "beta", "moving_mean", "moving_variance"):
        coupling.hold(layer, getattr(layer, name, None), 0, labels)
    return placed(axes, axis, labels)


def prelu(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """A slope for each place that is not shared."""
    layer = call.operation
    for axis, size in enumerate(call.inputs[0].shape[1:]):
        if layer.alpha.shape[axis] == size:
            coupling.hold(layer, layer.alpha, axis, inputs[0][axis + 1])
    return inputs[0]


def dropout(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Every value by itself, unless the shape of its noise counts channels."""
    shape = call.operation.noise_shape or (None,) * len(inputs[0])
    counted = (size not in (None, 1) for size in shape)
    if any(known and labels is not None for known, labels in zip(counted, inputs[0], strict=True)):
        return unknown(coupling, call, inputs, f"noise of shape {tuple(shape)}")
    return inputs[0]


def softmax(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Sums over its axes: a barrier for channels there, no obstacle for others."""
    for mask in inputs[1:]:
        coupling.barrier(call.path, "a mask made of channels", *mask)
    return _summed(coupling, call, inputs[0], _summed_axes(call, len(inputs[0])))


def layer_normalization(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Statistics over its axes: a barrier for channels there, unless they may move."""
    return _normalized(coupling, call, inputs[0], _summed_axes(call, len(inputs[0])))


def _normalized(coupling: Coupling, call: Call, axes: Axes, summed: list[int]) -> Axes:
    labelled = [index for index in summed if axes[index] is not None]
    if not coupling.moving or len(labelled) != 1:
        return _summed(coupling, call, axes, summed)
    (index,) = labelled
    labels = axes[index]
    assert labels is not None
    coupling.move(call.path, index, labels)
    for name in ("gamma", "beta", "scale"):
        weight = getattr(call.operation, name, None)
        if hasattr(weight, "shape"):  # else whether there is one
            coupling.hold(call.operation, weight, summed.index(index), labels)
    return axes


def group_normalization(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Statistics of each group of channels: a group goes whole, or all lose as many channels."""
    layer, axes = call.operation, inputs[0]
    axis = layer.axis % len(axes)
    labels = only(coupling, call, axes, axis)
    if labels is not None:
        by_group = labels.reshape(layer.groups, -1)  # (groups, channels of each)
        if coupling.moving and by_group.shape[1] > 1:
            coupling.move(call.path, axis, labels)
            for row in by_group[1:]:
                coupling.unite(by_group[0], row)
        elif layer.groups == 1:
            return _summed(coupling, call, axes, [axis])
        else:
            for column in by_group.T[1:]:
                coupling.unite(by_group[:, 0], column)
            coupling.size(call.path, "groups", by_group[:, 0])
    for weight in (layer.gamma, layer.beta):
        coupling.hold(layer, weight, 0, labels)
    return placed(axes, axis, labels)


def _summed_axes(call: Call, rank: int) -> list[int]:
    axis = getattr(call.operation, "axis", None)
    given = range(rank) if axis is None else [axis] if isinstance(axis, int) else axis
    return [index % rank for index in given]


def _summed(coupling: Coupling, call: Call, axes: Axes, summed: Sequence[int]) -> Axes:
    reason = f"{type(call.operation).__name__} sums over the channels"
    coupling.barrier(call.path, reason, *(axes[index] for index in summed))
    return tuple(None if index in summed else labels for index, labels in enumerate(axes))


def rescaling(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """A scale and an offset, one for all or one for each place of the last axis."""
    return _per_channel(coupling, call, inputs, ("scale", "offset"))


def normalization(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """A mean and a variance, given or learned from data."""
    layer, axes = call.operation, inputs[0]
    along = [axis % len(axes) for axis in layer.axis]  # none: one mean for all
    if along not in ([], [len(axes) - 1]) and any(labels is not None for labels in axes):
        return unknown(coupling, call, inputs, "normalises along another axis")
    if layer.input_mean is not None:
        return _per_channel(coupling, call, inputs, ("mean", "variance"))
    if along == [len(axes) - 1]:
        for name in ("adapt_mean", "adapt_variance"):
            coupling.hold(layer, getattr(layer, name), 0, axes[-1])
    return axes


def _per_channel(
    coupling: Coupling, call: Call, inputs: Sequence[Axes], keys: tuple[str, ...]
) -> Axes:
    axes, config = inputs[0], call.operation.get_config()
    for key in keys:
        given = np.asarray(config[key])
        if given.size == 1:
            continue
        fits = given.size == given.shape[-1] == call.inputs[0].shape[-1]
        coupling.listed(call.path, key, axes[-1] if fits else None)
        if not fits and any(labels is not None for labels in axes):
            return unknown(coupling, call, inputs, f"{key} of shape {given.shape}")
    return axes
