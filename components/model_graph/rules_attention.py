"""The rule of attention: heads go whole, and the values of all heads by the same places."""

import inspect
from collections.abc import Sequence
from typing import Any

from slimderm.components.model_graph.calls import Call
from slimderm.components.model_graph.channel_labels import (
    Axes,
    Coupling,
    Effort,
    Labels,
    only,
    unknown,
)

HEADS, VALUES = "heads", "values"  # behind the layer's path, in reports and limits


def attention(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Reads the last axes of query, value and key; makes as many channels as the query has.

    What heads are compared by, ``key_dim``, stays: the scores are divided by its root.
    """
    layer = call.operation
    bound = inspect.signature(layer.call).bind(*call.arguments.args, **call.arguments.kwargs)
    given = {name: bound.arguments.get(name) for name in ("query", "value", "key")}
    given["key"] = given["value"] if given["key"] is None else given["key"]
    read = {id(tensor) for tensor in given.values()}
    refused = _refused(layer) or (
        "tensors beside query, value and key"
        if any(id(tensor) not in read for tensor in call.inputs)
        else None
    )
    if refused:
        return unknown(coupling, call, inputs, refused)
    axes_of = {id(tensor): axes for tensor, axes in zip(call.inputs, inputs, strict=True)}
    incoming = {
        name: only(coupling, call, axes_of[id(tensor)], len(axes_of[id(tensor)]) - 1)
        for name, tensor in given.items()
    }
    made = _weights(coupling, call, incoming)
    _count(coupling, call, given)
    return (*[None] * (len(call.outputs[0].shape) - 1), made)


def _refused(layer: Any) -> str | None:
    if getattr(layer, "_use_gate", False):
        return "a gate"
    shape = layer.get_config()["output_shape"]
    if shape is not None and len(shape) != 1:
        return f"outputs of shape {tuple(shape)}"
    if layer.dtype_policy.quantization_mode is not None:
        return "quantised"
    return None


def _weights(coupling: Coupling, call: Call, incoming: dict[str, Labels | None]) -> Labels | None:
    """Note what each weight answers to; return the labels of the output."""
    layer = call.operation
    parts = {name: getattr(layer, f"{name}_dense") for name in incoming}
    heads = coupling.produce(f"{call.path}/{HEADS}", parts["value"], parts["value"].kernel, 1)
    values = coupling.produce(f"{call.path}/{VALUES}", parts["value"], parts["value"].kernel, 2)
    for name, part in parts.items():  # kernels of shape (channels, heads, places)
        coupling.hold(part, part.kernel, 0, incoming[name])
        coupling.hold(part, part.kernel, 1, heads)
        coupling.hold(part, part.bias, 0, heads)
    coupling.hold(parts["value"], parts["value"].bias, 1, values)
    last = layer.output_dense  # a kernel of shape (heads, places, channels)
    coupling.hold(last, last.kernel, 0, heads)
    coupling.hold(last, last.kernel, 1, values)
    out = coupling.produce(call.path, last, last.kernel, 2)
    coupling.hold(last, last.bias, 0, out)
    coupling.size(call.path, "num_heads", heads)
    coupling.size(call.path, "value_dim", values)
    if layer.get_config()["output_shape"] is None:  # as many as the query has
        coupling.unite(incoming["query"], out)
    else:
        coupling.size(call.path, "output_shape", out, 0)
    return out


def _count(coupling: Coupling, call: Call, given: dict[str, Any]) -> None:
    efforts = coupling.efforts.setdefault(id(call.outputs[0]), [])
    for name, tensor in {**given, "output": given["query"]}.items():
        kernel = getattr(call.operation, f"{name}_dense").kernel
        efforts.append(Effort(kernel, tensor, tuple(range(1, len(tensor.shape) - 1))))


def reading_axes(layer: Any, variable: Any) -> tuple[int, ...]:
    """Return the axes along which a weight of an attention layer reads channels."""
    if variable is layer.output_dense.kernel:
        return (0, 1)
    parts = (layer.query_dense, layer.key_dense, layer.value_dense)
    return (0,) if any(variable is part.kernel for part in parts) else ()
