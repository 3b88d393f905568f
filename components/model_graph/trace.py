"""Read the dependency graph of a model: follow its calls from inputs to outputs."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import keras

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import (
    Call,
    calls,
    check_model,
    ends,
    flat_inputs,
    is_functional,
)
from slimderm.components.model_graph.channel_labels import Axes, Coupling
from slimderm.components.model_graph.choices import best
from slimderm.components.model_graph.graph import Graph
from slimderm.components.model_graph.groups import grouped
from slimderm.components.model_graph.plain import plain
from slimderm.components.model_graph.rules import axes_of_outputs


def trace(model: Any, *, moving: bool = False) -> Graph:
    """Read the dependency graph of a model.

    Parameters
    ----------
    model : keras.Model
        Functional or sequential, built; or of a class of its own that calls as a functional one. It
        may nest models, share layers, and have several inputs and outputs. It is not changed.
    moving : bool
        Channels may leave layers whose statistics are over channels, which then move.

    Returns
    -------
    Graph

    Raises
    ------
    ParameterError
        For a subclassed or unbuilt model.
    """
    check_model(model)
    model = plain(model)
    _check_places(model, "", {})
    _check_arguments(model)
    return grouped(best(partial(_followed, model, moving)), model)


def _followed(model: Any, moving: bool, choices: dict[str, int]) -> Coupling:
    coupling = Coupling(moving=moving, choices=choices)
    inputs = [_fixed(tensor) for tensor in ends(model)[0]]
    for labels in _follow(coupling, model, inputs, "", {}):
        coupling.pin(*labels)
    return coupling


def _check_places(model: Any, prefix: str, places: dict[int, str]) -> None:
    """Refuse a layer that is used by models at different places: Keras makes one of each place."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):  # one of each place is no harm
            continue
        path = prefix + layer.name
        first = places.setdefault(id(layer), path)
        if first != path:
            raise ParameterError(
                f"model: received one that uses {layer.name!r} at both {first} and {path}, "
                "expected it inside one model, which may be called more than once"
            )
        if is_functional(layer):
            _check_places(layer, f"{path}/", places)
        else:  # wrappers hold layers, too
            _check_held(layer, path, places)


def _check_arguments(model: Any) -> None:
    """Refuse a weight that is an operation's argument: Keras makes a constant of it in a copy."""
    for call in calls(model):
        parts = keras.tree.flatten((call.arguments.args, call.arguments.kwargs))
        for part in parts:
            if isinstance(part, keras.Variable):
                raise ParameterError(
                    f"model: received one in which {call.path!r} takes the weight {part.path!r} as "
                    "an argument, expected weights inside layers; write a layer that holds both "
                    "uses, or one for each"
                )
        if is_functional(call.operation):
            _check_arguments(call.operation)


def _check_held(layer: Any, path: str, places: dict[int, str]) -> None:
    """Refuse a layer that stands inside a wrapper and elsewhere."""
    for held in layer._flatten_layers(include_self=False):
        inside = f"{path}/{held.name}"
        first = places.setdefault(id(held), inside)
        if first != inside:
            raise ParameterError(
                f"model: received one that uses {held.name!r} at both {first} and {inside}, "
                "expected it at one of the two: Keras makes one of each place"
            )


def _fixed(tensor: Any) -> Axes:
    return (None,) * len(tensor.shape)


@dataclass
class _Nested:
    """A nested model that was followed once; other calls of it unite with that one."""

    inputs: list[Axes]
    outputs: list[Axes]


def _follow(
    coupling: Coupling, model: Any, inputs: list[Axes], prefix: str, nested: dict[int, _Nested]
) -> list[Axes]:
    """Carry labels from a model's inputs to its outputs."""
    first, last = ends(model)
    axes_of: dict[int, Axes] = {
        id(tensor): axes for tensor, axes in zip(first, inputs, strict=True)
    }
    for call in calls(model, prefix):
        if not call.inputs:  # an input layer
            for tensor in call.outputs:
                axes = axes_of.setdefault(id(tensor), _fixed(tensor))
                for index, labels in enumerate(axes):
                    coupling.size(call.path, "batch_shape", labels, index)
            continue
        given = [axes_of[id(tensor)] for tensor in call.inputs]
        if is_functional(call.operation):
            made = _enter(coupling, call, given, nested)
        else:
            made = axes_of_outputs(coupling, call, given)
        axes_of |= {id(tensor): axes for tensor, axes in zip(call.outputs, made, strict=True)}
    return [axes_of[id(tensor)] for tensor in last]


def _enter(
    coupling: Coupling, call: Call, given: list[Axes], nested: dict[int, _Nested]
) -> list[Axes]:
    """Follow a nested model the first time; unite its inputs with new ones after that."""
    model = call.operation
    ordered = _in_order(call, given)
    known = nested.get(id(model))
    if known is None:
        outputs = _follow(coupling, model, ordered, f"{call.path}/", nested)
        nested[id(model)] = _Nested(ordered, outputs)
        return outputs
    for before, now in zip(known.inputs, ordered, strict=True):
        for old, new in zip(before, now, strict=True):
            if old is not None or new is not None:
                coupling.unite(old, new)
    return known.outputs


def _in_order(call: Call, given: list[Axes]) -> list[Axes]:
    """Order what a nested model is called with as its own inputs are.

    Raises
    ------
    ParameterError
        When that is not one tensor of the graph for each input, of the same rank.
    """
    inputs = ends(call.operation)[0]
    axes_of = {id(tensor): axes for tensor, axes in zip(call.inputs, given, strict=True)}
    found = [axes_of.get(id(tensor), ()) for tensor in flat_inputs(call)]
    expected = [len(tensor.shape) for tensor in inputs]
    if [len(axes) for axes in found] != expected:
        raise ParameterError(
            f"model: received one that calls {call.path} with tensors of rank "
            f"{[len(axes) for axes in found]}, expected {expected}: one tensor of the graph for "
            f"each of its inputs {', '.join(tensor.name for tensor in inputs)}"
        )
    return found
