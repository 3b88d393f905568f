"""Models as plain functional ones: of Keras's own class, composite layers as graphs of theirs."""

import itertools
import math
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import FunctionType
from typing import Any

import keras
from keras.src.models.functional import Functional

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.by_value import is_by_value
from slimderm.components.model_graph.calls import (
    Call,
    calls,
    graph_of,
    is_functional,
    is_plain_inside,
)
from slimderm.components.model_graph.composite import Composite, unfolded
from slimderm.components.model_graph.custom_rules import custom_rule
from slimderm.components.model_graph.own_weights import cast
from slimderm.components.model_graph.shared import run_in_place
from slimderm.components.model_graph.standard import Standard


def plain(model: Any) -> Any:
    """Return a functional model of the same weights, of Keras's own class, also inside.

    Composite layers with a rule become models of their layers. It is the model itself where that is
    one already.

    Raises
    ------
    ParameterError
        For composite layers that share weights.
    """
    graph = graph_of(model)
    if not isinstance(graph, Functional):
        return model
    if runners := run_in_place(graph):
        flat = None
        with suppress(ValueError):  # two layers of one name: such a model is refused as it is
            flat = _rebuilt(model, graph, runners)
        if flat is not None:
            return plain(flat)
    made, odd = _replaced(graph)
    if is_functional(model) and not made:
        return model
    if odd:  # what comes behind them is followed with other shapes
        made = {key: part for key, part in made.items() if key in odd}
    found = _rebuilt(model, graph, made)
    if odd:
        found = plain(found)
    if _size(found) > _size(model):
        raise ParameterError(
            f"model: received {model.name!r}, in which layers that are followed by what is inside "
            "them share a weight of their own, expected one for each, or a layer that holds both"
        )
    return found


def _rebuilt(model: Any, graph: Functional, made: dict[int, Any]) -> Any:
    """Run through a graph with other layers in the places of some, and make a model of it."""
    inputs = keras.tree.map_structure(
        lambda x: keras.Input(batch_shape=x.shape, dtype=x.dtype, name=x.name, sparse=x.sparse),
        graph._inputs_struct,
    )
    outputs = graph._run_through_graph(
        inputs, operation_fn=lambda operation: made.get(id(operation), operation)
    )
    return Functional(inputs, outputs, name=model.name)


def _size(model: Any) -> int:
    """Count the numbers of a model's weights, those of shared ones once."""
    floating = [each for each in model.weights if keras.backend.is_float_dtype(each.dtype)]
    return sum(math.prod(weight.shape) for weight in floating)


def _replaced(model: Any) -> tuple[dict[int, Any], set[int]]:
    """Map the id of each layer that is not plain to what takes its place.

    And the ids of those that say other shapes of their outputs than they have.
    """
    made: dict[int, Any] = {}
    odd: set[int] = set()
    uses: dict[int, list[Call]] = {}
    for call in calls(model):
        uses.setdefault(id(call.operation), []).append(call)
    for key, found in uses.items():
        layer = found[0].operation
        if isinstance(layer, Functional | keras.Sequential):
            inner = plain(layer) if is_functional(layer) or is_plain_inside(layer) else layer
            if inner is not layer:
                made[key] = inner
                odd |= {key} if _differ(found[0], inner) else set()
        elif _calls_own_function(found):
            made[key] = partial(_activated, layer)
        elif isinstance(rule := custom_rule(type(layer)), Standard):
            made[key] = rule.make(layer)
        elif isinstance(rule, Composite):
            parts = _unfolded(found, rule)
            if parts:
                models = [plain(part) for part in parts]
                made[key] = _taking_all(models)
                odd |= {key} if _differ(found[0], models[0]) else set()
    return made, odd


def _differ(call: Call, model: Any) -> bool:
    """Tell whether a model's outputs have other sizes than a call said."""
    return any(
        None not in (first, second) and first != second
        for said, found in zip(call.outputs, model.outputs, strict=True)
        for first, second in zip(said.shape[1:], found.shape[1:], strict=True)
    )


def _calls_own_function(uses: list[Call]) -> bool:
    """Tell whether a layer does no more than call a function that is nobody's but the user's.

    Its operations take its place: the result is read where that function is not known.
    """
    layer = uses[0].operation
    if type(layer) is not keras.layers.Activation or layer.activity_regularizer is not None:
        return False
    if any(getattr(use.inputs[0], "_keras_mask", None) is not None for use in uses):
        return False
    function = layer.activation
    own = isinstance(function, FunctionType) and not function.__module__.startswith("keras.")
    return own and is_by_value(function)


def _activated(layer: Any, inputs: Any) -> Any:
    return layer.activation(cast(layer, inputs))


def _unfolded(uses: list[Call], rule: Composite) -> list[Functional]:
    """Return the model of a layer for all its uses, or one for each; none where that fails.

    Uses may differ where there are no weights that they share.
    """
    layer = uses[0].operation
    found = unfolded(uses, rule)
    if not isinstance(found, str):
        return [found]
    if layer.weights or len(uses) == 1:
        return []
    each = [unfolded([use], rule, f"{layer.name}_use_{i}") for i, use in enumerate(uses)]
    models = [part for part in each if not isinstance(part, str)]
    return models if len(models) == len(uses) else []


def _taking_all(models: list[Functional]) -> Callable[..., Any]:
    """Call a model, or one after another, with all tensors among some arguments, in their order."""
    following = itertools.cycle(models)

    def call(*args: Any, **kwargs: Any) -> Any:
        model = next(following)
        parts = keras.tree.flatten((args, kwargs))
        tensors = [part for part in parts if isinstance(part, keras.KerasTensor)]
        return model(tensors[0] if len(tensors) == 1 else tensors)

    return call
