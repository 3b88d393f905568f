"""What each layer of Keras does to channels: one rule for each class, and none for its subclasses.

A rule takes the tracer, the call and the axes of each input, and returns the axes of the output.
What has no rule here is a barrier: nothing that touches it is pruned.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import activations, layers, ops

from slimderm.components.model_graph.calls import Call, is_operation
from slimderm.components.model_graph.labels import (
    Axes,
    Effort,
    Labels,
    Tracer,
    channel_axis,
    only,
    placed,
    unknown,
)
from slimderm.components.model_graph.rules_shape import OPERATION_RULES, SHAPE_RULES

Rule = Callable[[Tracer, Call, Sequence[Axes]], Axes]

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


def activated(tracer: Tracer, call: Call, labels: Labels | None) -> Labels | None:
    """Pass labels through a layer's own activation; one that mixes channels is a barrier."""
    activation = getattr(call.operation, "activation", None)
    if activation is None or activation in ELEMENTWISE or type(activation) in IDENTITIES:
        return labels
    name = getattr(activation, "__name__", type(activation).__name__)
    layer = isinstance(activation, layers.Layer)
    obstacle = "is a layer, which is not followed here" if layer else "may mix channels"
    tracer.barrier(call.path, f"activation {name} {obstacle}", labels)
    return None


def same(tracer: Tracer, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Every value by itself."""
    return inputs[0]


def activation(tracer: Tracer, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Every value by itself, if the activation is such a one."""
    return tuple(activated(tracer, call, labels) for labels in inputs[0])


def dense(tracer: Tracer, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Reads the last axis, makes units."""
    layer, axes = call.operation, inputs[0]
    if layer.quantization_mode is not None or layer.lora_enabled:
        return unknown(tracer, call, inputs, "quantised or with LoRA")
    tracer.hold(layer, layer.kernel, 0, axes[-1])
    units = tracer.produce(call.path, layer, layer.kernel, 1)
    tracer.hold(layer, layer.bias, 0, units)
    tracer.size(call.path, "units", units)
    between = tuple(range(1, len(axes) - 1))
    along = tuple(labels for labels in axes[1:-1] if labels is not None)
    _work(tracer, call, Effort(layer.kernel, call.inputs[0], between, along))
    return (*axes[:-1], activated(tracer, call, units))


def embedding(tracer: Tracer, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Reads indices, makes channels."""
    layer = call.operation
    if layer.quantization_mode is not None or layer.lora_enabled:
        return unknown(tracer, call, inputs, "quantised or with LoRA")
    labels = tracer.produce(call.path, layer, layer.embeddings, 1)
    tracer.size(call.path, "output_dim", labels)
    return (*inputs[0], labels)


def convolution(tracer: Tracer, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Reads the channels, makes filters; within groups where there are any."""
    layer, axes = call.operation, inputs[0]
    axis = channel_axis(layer, len(axes))
    incoming = only(tracer, call, axes, axis)
    if getattr(layer, "lora_enabled", False):
        return unknown(tracer, call, inputs, "with LoRA")
    groups, width = layer.groups, layer.kernel.shape[-2]
    if groups > 1 and width == 1:
        outgoing = _own_channel_each(tracer, call, incoming)
    else:
        if incoming is not None and groups > 1:
            by_group = incoming.reshape(groups, width)
            for row in by_group[1:]:
                tracer.unite(by_group[0], row)
            incoming = by_group[0]
        tracer.hold(layer, layer.kernel, -2 % len(layer.kernel.shape), incoming)
        last = len(layer.kernel.shape) - 1
        outgoing = tracer.produce(call.path, layer, layer.kernel, last, copies=groups)
        tracer.hold(layer, layer.bias, 0, outgoing)
        tracer.size(call.path, "filters", outgoing)
    _work(tracer, call, Effort(layer.kernel, call.outputs[0], _spatial(call, axis)))
    return placed(axes, axis, activated(tracer, call, outgoing))


def _own_channel_each(tracer: Tracer, call: Call, incoming: Labels | None) -> Labels | None:
    """As many groups as channels: what each filter makes goes with the channel that it reads."""
    layer = call.operation
    outgoing = _repeated(tracer, call, incoming, layer.filters // layer.groups)
    last = len(layer.kernel.shape) - 1
    tracer.hold(layer, layer.kernel, last, outgoing)
    tracer.hold(layer, layer.bias, 0, outgoing)
    tracer.size(call.path, "filters", outgoing)
    tracer.size(call.path, "groups", incoming)
    return outgoing


def _repeated(tracer: Tracer, call: Call, incoming: Labels | None, times: int) -> Labels | None:
    """Label channels of which so many are made of each that comes in."""
    if incoming is None and times > 1:  # a reader of the report would look for them
        tracer.barrier(call.path, "makes its channels of ones that stay", np.empty(0, np.int64))
    return None if incoming is None else np.repeat(incoming, times)


def transposed(tracer: Tracer, call: Call, inputs: Sequence[Axes]) -> Axes:
    """As a convolution; its kernel holds the filters before the channels it reads."""
    layer, axes = call.operation, inputs[0]
    axis, rank = channel_axis(layer, len(axes)), len(layer.kernel.shape)
    tracer.hold(layer, layer.kernel, rank - 1, only(tracer, call, axes, axis))
    filters = tracer.produce(call.path, layer, layer.kernel, rank - 2)
    tracer.hold(layer, layer.bias, 0, filters)
    tracer.size(call.path, "filters", filters)
    _work(tracer, call, Effort(layer.kernel, call.inputs[0], _spatial(call, axis)))
    return placed(axes, axis, activated(tracer, call, filters))


def depthwise(tracer: Tracer, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Every channel by itself, as often as the depth multiplier says."""
    layer, axes = call.operation, inputs[0]
    axis, rank = channel_axis(layer, len(axes)), len(layer.kernel.shape)
    incoming = only(tracer, call, axes, axis)
    tracer.hold(layer, layer.kernel, rank - 2, incoming)
    outgoing = _repeated(tracer, call, incoming, layer.depth_multiplier)
    tracer.hold(layer, layer.bias, 0, outgoing)
    _work(tracer, call, Effort(layer.kernel, call.outputs[0], _spatial(call, axis)))
    return placed(axes, axis, activated(tracer, call, outgoing))


def separable(tracer: Tracer, call: Call, inputs: Sequence[Axes]) -> Axes:
    """A depthwise convolution, then one of 1x1."""
    layer, axes = call.operation, inputs[0]
    axis, rank = channel_axis(layer, len(axes)), len(layer.depthwise_kernel.shape)
    incoming = only(tracer, call, axes, axis)
    tracer.hold(layer, layer.depthwise_kernel, rank - 2, incoming)
    between = None if incoming is None else np.repeat(incoming, layer.depth_multiplier)
    tracer.hold(layer, layer.pointwise_kernel, rank - 2, between)
    filters = tracer.produce(call.path, layer, layer.pointwise_kernel, rank - 1)
    tracer.hold(layer, layer.bias, 0, filters)
    tracer.size(call.path, "filters", filters)
    for kernel in (layer.depthwise_kernel, layer.pointwise_kernel):
        _work(tracer, call, Effort(kernel, call.outputs[0], _spatial(call, axis)))
    return placed(axes, axis, activated(tracer, call, filters))


def batch_normalization(tracer: Tracer, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Scale, offset, mean and variance for each channel."""
    layer, axes = call.operation, inputs[0]
    axis = layer.axis % len(axes)
    labels = only(tracer, call, axes, axis)
    for name in ("gamma", "beta", "moving_mean", "moving_variance"):
        tracer.hold(layer, getattr(layer, name, None), 0, labels)
    return placed(axes, axis, labels)


def prelu(tracer: Tracer, call: Call, inputs: Sequence[Axes]) -> Axes:
    """A slope for each place that is not shared."""
    layer = call.operation
    for axis, size in enumerate(call.inputs[0].shape[1:]):
        if layer.alpha.shape[axis] == size:
            tracer.hold(layer, layer.alpha, axis, inputs[0][axis + 1])
    return inputs[0]


def dropout(tracer: Tracer, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Every value by itself, unless the shape of its noise counts channels."""
    shape = call.operation.noise_shape or (None,) * len(inputs[0])
    counted = (size not in (None, 1) for size in shape)
    if any(known and labels is not None for known, labels in zip(counted, inputs[0], strict=True)):
        return unknown(tracer, call, inputs, f"noise of shape {tuple(shape)}")
    return inputs[0]


def layer_normalization(tracer: Tracer, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Sums over its axes: a barrier for channels there, no obstacle for others."""
    axes, axis = inputs[0], getattr(call.operation, "axis", None)
    if axis is None or isinstance(call.operation, layers.GroupNormalization):
        axis = list(range(len(axes)))
    summed = {index % len(axes) for index in ([axis] if isinstance(axis, int) else axis)}
    walled = [labels for index, labels in enumerate(axes) if index in summed]
    reason = f"{type(call.operation).__name__} sums over the channels"
    tracer.barrier(call.path, reason, *walled)
    return tuple(None if index in summed else labels for index, labels in enumerate(axes))


def rescaling(tracer: Tracer, call: Call, inputs: Sequence[Axes]) -> Axes:
    """A scale and an offset, one for all or one for each place of the last axis."""
    return _per_channel(tracer, call, inputs, ("scale", "offset"))


def normalization(tracer: Tracer, call: Call, inputs: Sequence[Axes]) -> Axes:
    """A mean and a variance, given or learned from data."""
    layer, axes = call.operation, inputs[0]
    along = [axis % len(axes) for axis in layer.axis]  # none: one mean for all
    if along not in ([], [len(axes) - 1]) and any(labels is not None for labels in axes):
        return unknown(tracer, call, inputs, "normalises along another axis")
    if layer.input_mean is not None:
        return _per_channel(tracer, call, inputs, ("mean", "variance"))
    if along == [len(axes) - 1]:
        for name in ("adapt_mean", "adapt_variance"):
            tracer.hold(layer, getattr(layer, name), 0, axes[-1])
    return axes


def _per_channel(tracer: Tracer, call: Call, inputs: Sequence[Axes], keys: tuple[str, ...]) -> Axes:
    axes, config = inputs[0], call.operation.get_config()
    for key in keys:
        given = np.asarray(config[key])
        if given.size == 1:
            continue
        fits = given.size == given.shape[-1] == call.inputs[0].shape[-1]
        tracer.listed(call.path, key, axes[-1] if fits else None)
        if not fits and any(labels is not None for labels in axes):
            return unknown(tracer, call, inputs, f"{key} of shape {given.shape}")
    return axes


def _spatial(call: Call, axis: int) -> tuple[int, ...]:
    return tuple(index for index in range(1, len(call.outputs[0].shape)) if index != axis)


def _work(tracer: Tracer, call: Call, effort: Effort) -> None:
    tracer.efforts.setdefault(id(call.outputs[0]), []).append(effort)


IDENTITIES: set[type] = {
    layers.ReLU, layers.LeakyReLU, layers.ELU, layers.SpatialDropout1D, layers.SpatialDropout2D,
    layers.SpatialDropout3D, layers.GaussianNoise, layers.GaussianDropout,
    layers.ActivityRegularization, layers.Identity,
}  # fmt: skip

RULES: dict[type, Rule] = {
    **dict.fromkeys(IDENTITIES, same),
    layers.Dropout: dropout,
    layers.AlphaDropout: dropout,
    layers.Activation: activation,
    layers.Dense: dense,
    layers.Embedding: embedding,
    layers.Conv1D: convolution,
    layers.Conv2D: convolution,
    layers.Conv3D: convolution,
    layers.Conv1DTranspose: transposed,
    layers.Conv2DTranspose: transposed,
    layers.Conv3DTranspose: transposed,
    layers.DepthwiseConv1D: depthwise,
    layers.DepthwiseConv2D: depthwise,
    layers.SeparableConv1D: separable,
    layers.SeparableConv2D: separable,
    layers.BatchNormalization: batch_normalization,
    layers.PReLU: prelu,
    layers.LayerNormalization: layer_normalization,
    layers.RMSNormalization: layer_normalization,
    layers.UnitNormalization: layer_normalization,
    layers.GroupNormalization: layer_normalization,
    layers.Softmax: layer_normalization,
    layers.Rescaling: rescaling,
    layers.Normalization: normalization,
    **SHAPE_RULES,
}


def rule_for(operation: Any) -> Rule:
    """Find the rule of a layer or operation by its very class; `unknown` where there is none."""
    kind = type(operation)
    if is_operation(kind):
        return OPERATION_RULES.get(kind.__name__, unknown)
    return RULES.get(kind, unknown)
