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
from slimderm.components.model_graph.rules_values import ELEMENTWISE

GATES: dict[type, int] = {layers.SimpleRNN: 1, layers.GRU: 3, layers.LSTM: 4}


def cells(layer: Any) -> Iterator[Any]:
    """Yield the cells of a recurrent layer, and of both directions."""
    if type(layer) in GATES:
        yield layer.cell
    elif type(layer) is layers.Bidirectional:
        yield from cells(layer.forward_layer)
        yield from cells(layer.backward_layer)


def recurrent(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Reads the last axis at each step, and what it made itself; makes units."""
    reason = _refused(call, [call.operation])
    if reason:
        return unknown(coupling, call, inputs, reason)
    incoming = only(coupling, call, inputs[0], len(inputs[0]) - 1)
    return _placed(call, _units(coupling, call, call.operation, call.path, incoming))


def bidirectional(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Two recurrent layers, whose outputs are laid behind each other or go together."""
    wrapper = call.operation
    both = [wrapper.forward_layer, wrapper.backward_layer]
    reason = "no pair of outputs" if wrapper.merge_mode is None else _refused(call, both)
    if reason:
        return unknown(coupling, call, inputs, reason)
    incoming = only(coupling, call, inputs[0], len(inputs[0]) - 1)
    made = [_units(coupling, call, layer, f"{call.path}/{layer.name}", incoming) for layer in both]
    if wrapper.merge_mode == "concat":
        return _placed(call, np.concatenate(made))
    coupling.unite(*made)
    return _placed(call, made[0])


def _refused(call: Call, parts: Sequence[Any]) -> str | None:
    if len(call.inputs) > 1:
        return "states that are given to it"
    for layer in parts:
        if type(layer) not in GATES:
            return f"no rule for {type(layer).__name__}"
        if layer.stateful:
            return "states that it keeps"
        cell = layer.cell
        for name in ("activation", "recurrent_activation"):
            used = getattr(cell, name, None)
            if used is not None and used not in ELEMENTWISE:
                return f"activation {getattr(used, '__name__', used)} may mix channels"
    return None


def _units(
    coupling: Coupling, call: Call, layer: Any, path: str, incoming: Labels | None
) -> Labels:
    cell, gates = layer.cell, GATES[type(layer)]
    whole = coupling.produce(path, layer, cell.kernel, 1, copies=gates)  # gate after gate
    units = whole[: layer.units]
    coupling.hold(layer, cell.kernel, 0, incoming)
    coupling.hold(layer, cell.recurrent_kernel, 0, units)
    coupling.hold(layer, cell.recurrent_kernel, 1, whole)
    if cell.bias is not None:
        coupling.hold(layer, cell.bias, len(cell.bias.shape) - 1, whole)
    coupling.size(path, "units", units)
    efforts = coupling.efforts.setdefault(id(call.outputs[0]), [])
    efforts += [
        Effort(kernel, call.inputs[0], (1,)) for kernel in (cell.kernel, cell.recurrent_kernel)
    ]
    return units


def _placed(call: Call, units: Labels) -> Axes:
    rank = len(call.outputs[0].shape)
    return (*[None] * (rank - 1), units)
