"""The rules of attention: heads go whole, and the values of all heads by the same places."""

import inspect
from collections.abc import Sequence
from typing import Any

import keras
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
from slimderm.components.model_graph.rules_shape import joined

HEADS, VALUES = "heads", "values"  # behind the layer's path, in reports and limits


def attention(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Reads the last axes of query, value and key; makes as many channels as the query has.

    What heads are compared by, ``key_dim``, stays: the scores are divided by its root.
    """
    given = _given(call)
    refused = _refused(call.operation)
    if refused:
        return unknown(coupling, call, inputs, refused)
    incoming = _incoming(coupling, call, inputs, given)
    parts = _parts(call.operation, getattr(call.operation, "_use_gate", False))
    made = _weights(coupling, call, parts, incoming)
    return _placed(coupling, call, parts, given, made)


def grouped_query_attention(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """As `attention`; a head of key and value goes with all heads of the query that share it.

    The places of heads stay: ``head_dim`` counts those of query and key as well as the values'.
    """
    layer, given = call.operation, _given(call)
    if layer.dtype_policy.quantization_mode is not None:
        return unknown(coupling, call, inputs, "quantised")
    incoming = _incoming(coupling, call, inputs, given)
    if incoming["query"] is not None or incoming["value"] is not None:
        coupling.unite(incoming["query"], incoming["value"])  # Keras wants them of one width
    parts = _parts(layer, getattr(layer, "use_gate", False))
    value = parts["value"]
    heads = coupling.produce(f"{call.path}/{HEADS}", value, value.kernel, 1)
    sharing = np.repeat(heads, layer.num_repeats)  # heads of the query, those of one key together
    for name, own in {"query": sharing, "key": heads, "value": heads, "gate": sharing}.items():
        if name in parts:
            _projects(coupling, parts[name], incoming["query" if name == "gate" else name], own)
    made = _joins(coupling, call, parts["output"], sharing)
    coupling.size(call.path, "num_query_heads", sharing)
    coupling.size(call.path, "num_key_value_heads", heads)
    coupling.unite(incoming["query"], made)
    return _placed(coupling, call, parts, given, made)


def rotary(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Turns pairs of the last axis by an angle for each place: heads pass."""
    layer, rank = call.operation, len(inputs[0])
    if len(call.inputs) > 1:
        return unknown(coupling, call, inputs, "places that are given to it")
    turned = [layer.sequence_axis % rank, layer.feature_axis % rank]
    coupling.barrier(call.path, "turns pairs of channels", *(inputs[0][axis] for axis in turned))
    return tuple(None if axis in turned else labels for axis, labels in enumerate(inputs[0]))


def dot_product(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Heads go with those that they are compared with, one of a key with all that share it.

    Places of heads stay.

    Tensors of (batch, places, heads, places of a head).
    """
    axes_of = {id(tensor): axes for tensor, axes in zip(call.inputs, inputs, strict=True)}
    arguments = call.arguments
    bound = inspect.signature(call.operation.call).bind(*arguments.args, **arguments.kwargs)
    heads: list[Labels | None] = []
    for name in ("query", "key", "value"):
        tensor = bound.arguments.pop(name)
        batch, places, own, last = axes_of[id(tensor)]
        coupling.barrier(call.path, "compares heads by the channels", batch, places, last)
        sharing = call.inputs[0].shape[2] // tensor.shape[2]
        heads.append(None if own is None else np.repeat(own, sharing))
    for tensor in bound.arguments.values():
        coupling.barrier(call.path, "a mask made of channels", *axes_of.get(id(tensor), ()))
    return (None, None, joined(coupling, heads), None)


def _parts(layer: Any, gate: bool) -> dict[str, Any]:
    """Return the einsum layers inside an attention layer; older Keras has no gates."""
    names = ("query", "value", "key", "output", *(["gate"] if gate else []))
    return {name: getattr(layer, f"_{name}_dense") for name in names}


def _given(call: Call) -> dict[str, Any]:
    """Return the tensors that an attention layer is called with, by their names."""
    arguments = call.arguments
    bound = inspect.signature(call.operation.call).bind(*arguments.args, **arguments.kwargs)
    given = {name: bound.arguments.get(name) for name in ("query", "value", "key")}
    given["key"] = given["value"] if given["key"] is None else given["key"]
    return given


def _incoming(
    coupling: Coupling, call: Call, inputs: Sequence[Axes], given: dict[str, Any]
) -> dict[str, Labels | None]:
    """Return the labels of the last axis of each tensor; those of masks stay."""
    axes_of = {id(tensor): axes for tensor, axes in zip(call.inputs, inputs, strict=True)}
    read = {id(tensor) for tensor in given.values()}
    for key, axes in axes_of.items():
        if key not in read:  # a mask: for places and heads
            coupling.barrier(call.path, "a mask made of channels", *axes)
    return {
        name: only(coupling, call, axes_of[id(tensor)], len(tensor.shape) - 1)
        for name, tensor in given.items()
    }


def _refused(layer: Any) -> str | None:
    shape = layer.get_config()["output_shape"]
    if shape is not None and len(shape) != 1:
        return f"outputs of shape {tuple(shape)}"
    if layer.dtype_policy.quantization_mode is not None:
        return "quantised"
    return None


def _weights(
    coupling: Coupling, call: Call, parts: dict[str, Any], incoming: dict[str, Labels | None]
) -> Labels | None:
    """Note what each weight answers to; return the labels of the output."""
    value, last = parts["value"], parts["output"]
    heads = coupling.produce(f"{call.path}/{HEADS}", value, value.kernel, 1)
    values = coupling.produce(f"{call.path}/{VALUES}", value, value.kernel, 2)
    if keras.backend.backend() == "jax":
        coupling.barrier(call.path, "on JAX Keras wants values as wide as keys", values)
    for name, labels in incoming.items():
        _projects(coupling, parts[name], labels, heads)
    if "gate" in parts:
        _projects(coupling, parts["gate"], incoming["query"], heads)
    for part in [value, *([parts["gate"]] if "gate" in parts else [])]:
        coupling.hold(part, part.kernel, 2, values)
        coupling.hold(part, part.bias, 1, values)
    coupling.hold(last, last.kernel, 1, values)
    out = _joins(coupling, call, last, heads)
    coupling.size(call.path, "num_heads", heads)
    coupling.size(call.path, "value_dim", values)
    if call.operation.get_config()["output_shape"] is None:  # as many as the query has
        coupling.unite(incoming["query"], out)
    else:
        coupling.size(call.path, "output_shape", out, 0)
    return out


def _projects(coupling: Coupling, part: Any, incoming: Labels | None, heads: Labels) -> None:
    """Note what a part reads, and which heads it makes: a kernel of (channels, heads, places)."""
    coupling.hold(part, part.kernel, 0, incoming)
    coupling.hold(part, part.kernel, 1, heads)
    coupling.hold(part, part.bias, 0, heads)


def _joins(coupling: Coupling, call: Call, part: Any, heads: Labels) -> Labels:
    """Label what is made of the heads: a kernel of (heads, places, channels)."""
    coupling.hold(part, part.kernel, 0, heads)
    out = coupling.produce(call.path, part, part.kernel, 2)
    coupling.hold(part, part.bias, 0, out)
    return out


def _placed(
    coupling: Coupling,
    call: Call,
    parts: dict[str, Any],
    given: dict[str, Any],
    made: Labels | None,
) -> Axes:
    """Count the multiplications of each part; put the labels on the output's last axis."""
    efforts = coupling.efforts.setdefault(id(call.outputs[0]), [])
    for name, part in parts.items():
        tensor = given.get(name, given["query"])
        efforts.append(Effort(part.kernel, tensor, tuple(range(1, len(tensor.shape) - 1))))
    return (*[None] * (len(call.outputs[0].shape) - 1), made)


def reading_axes(layer: Any, variable: Any) -> tuple[int, ...]:
    """Return the axes along which a weight of an attention layer reads channels."""
    grouped = isinstance(layer, layers.GroupQueryAttention)
    if variable is layer._output_dense.kernel:
        return (0,) if grouped else (0, 1)  # there the places of heads stay
    return (0,) if len(variable.shape) == 3 else ()  # biases have one axis less
