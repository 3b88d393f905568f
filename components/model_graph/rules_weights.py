"""Rules of layers with kernels: dense layers, embeddings, convolutions of all kinds."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from slimderm.components.model_graph.calls import Call
from slimderm.components.model_graph.channel_labels import (
    Axes,
    Coupling,
    Effort,
    Labels,
    channel_axis,
    only,
    placed,
    unknown,
)
from slimderm.components.model_graph.rules_values import activated


def dense(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Reads the last axis, makes units."""
    layer, axes = call.operation, inputs[0]
    if layer.quantization_mode is not None or layer.lora_enabled:
        return unknown(coupling, call, inputs, "quantised or with LoRA")
    coupling.hold(layer, layer.kernel, 0, axes[-1])
    units = coupling.produce(call.path, layer, layer.kernel, 1)
    coupling.hold(layer, layer.bias, 0, units)
    coupling.size(call.path, "units", units)
    between = tuple(range(1, len(axes) - 1))
    along = tuple(labels for labels in axes[1:-1] if labels is not None)
    _multiplies(coupling, call, Effort(layer.kernel, call.inputs[0], between, along))
    return (*axes[:-1], activated(coupling, call, units))


def embedding(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Reads indices, makes channels."""
    layer = call.operation
    if layer.quantization_mode is not None or layer.lora_enabled:
        return unknown(coupling, call, inputs, "quantised or with LoRA")
    labels = coupling.produce(call.path, layer, layer.embeddings, 1)
    coupling.size(call.path, "output_dim", labels)
    return (*inputs[0], labels)


def reversible_embedding(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """As `embedding`; in reverse it reads the channels that it makes otherwise."""
    layer, arguments = call.operation, call.arguments
    if layer.quantization_mode is not None or layer.lora_enabled:
        return unknown(coupling, call, inputs, "quantised or with LoRA")
    labels = coupling.produce(call.path, layer, layer.embeddings, 1)
    coupling.size(call.path, "output_dim", labels)
    back = getattr(layer, "reverse_embeddings", None)
    coupling.hold(layer, back, 0, labels)
    if not (arguments.kwargs.get("reverse") or arguments.args[1:2] == (True,)):
        return (*inputs[0], labels)
    coupling.unite(labels, inputs[0][-1])
    between = tuple(range(1, len(inputs[0]) - 1))
    read = layer.embeddings if back is None else back
    _multiplies(coupling, call, Effort(read, call.inputs[0], between))
    return (*inputs[0][:-1], None)


def convolution(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Reads the channels, makes filters; within groups where there are any."""
    layer, axes = call.operation, inputs[0]
    axis = channel_axis(layer, len(axes))
    incoming = only(coupling, call, axes, axis)
    if getattr(layer, "lora_enabled", False):
        return unknown(coupling, call, inputs, "with LoRA")
    groups, width = layer.groups, layer.kernel.shape[-2]
    if groups > 1 and width == 1:
        outgoing = _own_channel_each(coupling, call, incoming)
    else:
        if incoming is not None and groups > 1:
            by_group = incoming.reshape(groups, width)
            for row in by_group[1:]:
                coupling.unite(by_group[0], row)
            incoming = by_group[0]
        coupling.hold(layer, layer.kernel, -2 % len(layer.kernel.shape), incoming)
        last = len(layer.kernel.shape) - 1
        outgoing = coupling.produce(call.path, layer, layer.kernel, last, copies=groups)
        coupling.hold(layer, layer.bias, 0, outgoing)
        coupling.size(call.path, "filters", outgoing)
    _multiplies(coupling, call, Effort(layer.kernel, call.outputs[0], _spatial(call, axis)))
    return placed(axes, axis, activated(coupling, call, outgoing))


def _own_channel_each(coupling: Coupling, call: Call, incoming: Labels | None) -> Labels | None:
    """As many groups as channels: what each filter makes goes with the channel that it reads."""
    layer = call.operation
    outgoing = _repeated(coupling, call, incoming, layer.filters // layer.groups)
    last = len(layer.kernel.shape) - 1
    coupling.hold(layer, layer.kernel, last, outgoing)
    coupling.hold(layer, layer.bias, 0, outgoing)
    coupling.size(call.path, "filters", outgoing)
    coupling.size(call.path, "groups", incoming)
    return outgoing


def _repeated(coupling: Coupling, call: Call, incoming: Labels | None, times: int) -> Labels | None:
    """Label channels of which so many are made of each that comes in."""
    if incoming is None and times > 1:  # a reader of the report would look for them
        coupling.barrier(call.path, "makes its channels of ones that stay", np.empty(0, np.int64))
    return None if incoming is None else np.repeat(incoming, times)


def transposed(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """As a convolution; its kernel holds the filters before the channels it reads."""
    layer, axes = call.operation, inputs[0]
    axis, rank = channel_axis(layer, len(axes)), len(layer.kernel.shape)
    coupling.hold(layer, layer.kernel, rank - 1, only(coupling, call, axes, axis))
    filters = coupling.produce(call.path, layer, layer.kernel, rank - 2)
    coupling.hold(layer, layer.bias, 0, filters)
    coupling.size(call.path, "filters", filters)
    _multiplies(coupling, call, Effort(layer.kernel, call.inputs[0], _spatial(call, axis)))
    return placed(axes, axis, activated(coupling, call, filters))


def depthwise(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Every channel by itself, as often as the depth multiplier says."""
    layer, axes = call.operation, inputs[0]
    axis, rank = channel_axis(layer, len(axes)), len(layer.kernel.shape)
    incoming = only(coupling, call, axes, axis)
    coupling.hold(layer, layer.kernel, rank - 2, incoming)
    outgoing = _repeated(coupling, call, incoming, layer.depth_multiplier)
    coupling.hold(layer, layer.bias, 0, outgoing)
    _multiplies(coupling, call, Effort(layer.kernel, call.outputs[0], _spatial(call, axis)))
    return placed(axes, axis, activated(coupling, call, outgoing))


def separable(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """A depthwise convolution, then one of 1x1."""
    layer, axes = call.operation, inputs[0]
    axis, rank = channel_axis(layer, len(axes)), len(layer.depthwise_kernel.shape)
    incoming = only(coupling, call, axes, axis)
    coupling.hold(layer, layer.depthwise_kernel, rank - 2, incoming)
    between = None if incoming is None else np.repeat(incoming, layer.depth_multiplier)
    coupling.hold(layer, layer.pointwise_kernel, rank - 2, between)
    filters = coupling.produce(call.path, layer, layer.pointwise_kernel, rank - 1)
    coupling.hold(layer, layer.bias, 0, filters)
    coupling.size(call.path, "filters", filters)
    for kernel in (layer.depthwise_kernel, layer.pointwise_kernel):
        _multiplies(coupling, call, Effort(kernel, call.outputs[0], _spatial(call, axis)))
    return placed(axes, axis, activated(coupling, call, filters))


def _spatial(call: Call, axis: int) -> tuple[int, ...]:
    return tuple(index for index in range(1, len(call.outputs[0].shape)) if index != axis)


def _multiplies(coupling: Coupling, call: Call, effort: Effort) -> None:
    coupling.efforts.setdefault(id(call.outputs[0]), []).append(effort)


def reading_axes(layer: Any, variable: Any) -> tuple[int, ...]:
    """Return the axes along which a weight of a `ReversibleEmbedding` reads channels."""
    back = getattr(layer, "reverse_embeddings", None)
    if back is None:
        return (1,)  # as it does in reverse
    return (0,) if variable is back else ()
