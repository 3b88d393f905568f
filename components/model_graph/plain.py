"""Models as plain functional ones: of Keras's own class, composite layers as graphs of theirs."""

import math
from collections.abc import Callable
from typing import Any

import keras
from keras.src.models.functional import Functional

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import (
    Call,
    calls,
    graph_of,
    is_functional,
    is_plain_inside,
)
from slimderm.components.model_graph.composite import Composite, unfolded
from slimderm.components.model_graph.custom_rules import custom_rule


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
    made = _replaced(graph)
    if is_functional(model) and not made:
        return model
    inputs = keras.tree.map_structure(
        lambda x: keras.Input(batch_shape=x.shape, dtype=x.dtype, name=x.name, sparse=x.sparse),
        graph._inputs_struct,
    )
    outputs = graph._run_through_graph(
        inputs, operation_fn=lambda operation: made.get(id(operation), operation)
    )
    found: Any = Functional(inputs, outputs, name=model.name)
    if _size(found) > _size(model):
        raise ParameterError(
            f"model: received {model.name!r}, in which layers that are followed by what is inside "
            "them share a weight of their own, expected one for each, or a layer that holds both"
        )
    return found


def _size(model: Any) -> int:
    """Count the numbers of a model's weights, those of shared ones once."""
    floating = [each for each in model.weights if keras.backend.is_float_dtype(each.dtype)]
    return sum(math.prod(weight.shape) for weight in floating)


def _replaced(model: Any) -> dict[int, Any]:
    """Map the id of each layer that is not plain to what takes its place."""
    made: dict[int, Any] = {}
    uses: dict[int, list[Call]] = {}
    for call in calls(model):
        uses.setdefault(id(call.operation), []).append(call)
    for key, found in uses.items():
        layer = found[0].operation
        if isinstance(layer, Functional | keras.Sequential):
            inner = plain(layer) if is_functional(layer) or is_plain_inside(layer) else layer
            if inner is not layer:
                made[key] = inner
        elif isinstance(rule := custom_rule(type(layer)), Composite):
            inner = unfolded(found, rule)
            if not isinstance(inner, str):
                made[key] = _taking_all(plain(inner))
    return made


def _taking_all(model: Functional) -> Callable[..., Any]:
    """Call a model with all tensors among some arguments, in their order."""

    def call(*args: Any, **kwargs: Any) -> Any:
        parts = keras.tree.flatten((args, kwargs))
        tensors = [part for part in parts if isinstance(part, keras.KerasTensor)]
        return model(tensors[0] if len(tensors) == 1 else tensors)

    return call
