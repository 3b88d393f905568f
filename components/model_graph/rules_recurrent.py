"""Rules of recurrent layers: units with all their gates, in one direction or in two."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from keras import layers

from slimderm.components.model_graph.calls import Call
from slimderm.components.model_graph.channel_labels import (
    Axes,
    Coupling,
    Effort,
    Labels,
    only,
    unknown,
)
from slimderm.components.model_graph.rules_values import is_elementwise

GATES: dict[type, int] = {layers.SimpleRNN: 1, layers.GRU: 3, layers.LSTM: 4}
CONVOLUTIONS = (layers.ConvLSTM1D, layers.ConvLSTM2D, layers.ConvLSTM3D)


def cells(layer: Any) -> Iterator[Any]:
    """Yield the cells of a recurrent layer, and of both directions."""
    if type(layer) in (*GATES, *CONVOLUTIONS):
        yield layer.cell
    elif type(layer) is layers.Bidirectional:
        yield from cells(layer.forward_layer)
        yield from cells(layer.backward_layer)


def recurrent(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Reads the last axis at each step, and what it made itself; makes units."""
    reason = _refused(call, [call.operation], inputs)
    if reason:
        return unknown(coupling, call, inputs, reason)
    incoming = only(coupling, call, inputs[0], len(inputs[0]) - 1)
    return _placed(call, _units(coupling, call, call.operation, call.path, incoming))


def bidirectional(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Two recurrent layers, whose outputs are laid behind each other or go together."""
    wrapper = call.operation
    both = [wrapper.forward_layer, wrapper.backward_layer]
    if any(type(layer) not in GATES for layer in both):
        reason: str | None = f"no rule for {type(both[0]).__name__} in two directions"
    else:
        reason = (
            "no pair of outputs" if wrapper.merge_mode is None else _refused(call, both, inputs)
        )
    if reason:
        return unknown(coupling, call, inputs, reason)
    incoming = only(coupling, call, inputs[0], len(inputs[0]) - 1)
    made = [_units(coupling, call, layer, f"{call.path}/{layer.name}", incoming) for layer in both]
    if wrapper.merge_mode == "concat":
        return _placed(call, np.concatenate(made))
    coupling.unite(*made)
    return _placed(call, made[0])


def convolutional(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """As `recurrent`, by convolutions: makes filters, each with its four gates."""
    layer = call.operation
    reason = _refused(call, [layer], inputs)
    if reason:
        return unknown(coupling, call, inputs, reason)
    cell, first = layer.cell, layer.data_format == "channels_first"
    incoming = only(coupling, call, inputs[0], 2 if first else len(inputs[0]) - 1)
    whole = _gated(coupling, layer, call.path, incoming, 4)
    filters = whole[: cell.filters]
    coupling.size(call.path, "filters", filters)
    rank = len(call.outputs[0].shape)
    axis = rank - cell.rank - 1 if first else rank - 1
    space = [index for index in range(rank - cell.rank - 1, rank) if index != axis]
    coupling.efforts.setdefault(id(call.outputs[0]), []).extend(
        Effort(kernel, call.outputs[0], tuple(space), steps=call.inputs[0])
        for kernel in (cell.kernel, cell.recurrent_kernel)
    )
    return tuple(filters if index == axis else None for index in range(rank))


def _refused(call: Call, parts: Sequence[Any], inputs: Sequence[Axes]) -> str | None:
    mask = call.arguments.kwargs.get("mask")  # of steps, in which every unit stays as it was
    if any(tensor is not mask for tensor in call.inputs[1:]):
        return "states that are given to it"
    if any(labels is not None for axes in inputs[1:] for labels in axes):
        return "a mask made of channels"
    for layer in parts:
        if layer.stateful:
            return "states that it keeps"
        cell = layer.cell
        for name in ("activation", "recurrent_activation"):
            used = getattr(cell, name, None)
            if used is not None and not is_elementwise(used):
                return f"activation {getattr(used, '__name__', used)} may mix channels"
    return None


def _units(
    coupling: Coupling, call: Call, layer: Any, path: str, incoming: Labels | None
) -> Labels:
    cell = layer.cell
    units = _gated(coupling, layer, path, incoming, GATES[type(layer)])[: layer.units]
    coupling.size(path, "units", units)
    efforts = coupling.efforts.setdefault(id(call.outputs[0]), [])
    efforts += [
        Effort(kernel, call.inputs[0], (1,)) for kernel in (cell.kernel, cell.recurrent_kernel)
    ]
    return units


def _gated(
    coupling: Coupling, layer: Any, path: str, incoming: Labels | None, gates: int
) -> Labels:
    """Note what a cell's weights answer to; return the labels of its units, gate after gate."""
    cell = layer.cell
    last = len(cell.kernel.shape) - 1
    whole = coupling.produce(path, layer, cell.kernel, last, copies=gates)
    coupling.hold(layer, cell.kernel, last - 1, incoming)
    coupling.hold(layer, cell.recurrent_kernel, last - 1, whole[: len(whole) // gates])
    coupling.hold(layer, cell.recurrent_kernel, last, whole)
    if cell.bias is not None:
        coupling.hold(layer, cell.bias, len(cell.bias.shape) - 1, whole)
    return whole


def _placed(call: Call, units: Labels) -> Axes:
    rank = len(call.outputs[0].shape)
    return (*[None] * (rank - 1), units)
