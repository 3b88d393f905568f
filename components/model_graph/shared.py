"""Layers that a model and one nested in it share, as a language model shares its embedding."""

from collections.abc import Callable
from typing import Any

import keras

from slimderm.components.model_graph.calls import graph_of, is_functional, is_plain_inside


def run_in_place(model: Any) -> dict[int, Callable[..., Any]]:
    """Map the id of each nested model that shares a layer with others to what runs its layers.

    Keras would make one layer of each place; in one graph it is one layer that is called twice.
    """
    holders: dict[int, set[int]] = {}
    _note(model, holders)
    shared = {layer for layer, found in holders.items() if len(found) > 1}
    return _runners(model, shared) if shared else {}


def _nested(model: Any) -> list[Any]:
    found = [layer for layer in model.layers if is_functional(layer) or is_plain_inside(layer)]
    return [layer for layer in found if layer is not model]


def _note(model: Any, holders: dict[int, set[int]]) -> None:
    """Note the models that hold each layer."""
    nested = _nested(model)
    for layer in model.layers:
        if layer not in nested and not isinstance(layer, keras.layers.InputLayer):
            holders.setdefault(id(layer), set()).add(id(model))
    for layer in nested:
        _note(layer, holders)


def _runners(model: Any, shared: set[int]) -> dict[int, Callable[..., Any]]:
    runners: dict[int, Callable[..., Any]] = {}
    for layer in _nested(model):
        holders: dict[int, set[int]] = {}
        _note(layer, holders)
        if holders.keys() & shared:
            runners[id(layer)] = _runner(layer, _runners(layer, shared))
    return runners


def _runner(nested: Any, inside: dict[int, Callable[..., Any]]) -> Callable[..., Any]:
    graph = graph_of(nested)
    assert graph is not None

    def call(inputs: Any, **_: Any) -> Any:
        return graph._run_through_graph(
            graph._standardize_inputs(inputs),
            operation_fn=lambda operation: inside.get(id(operation), operation),
        )

    return call
