"""A functional Keras 3 model as a list of calls: the one place that reads Keras's private graph."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
from keras.src.models.functional import Functional

from slimderm.components.common.errors import ParameterError

Shape = tuple[int | None, ...]
# What overrides a model's __call__ to refuse some inputs, and does no more.
CHECKS = ("keras_hub.src.utils.pipeline_model.PipelineModel.__call__",)


@dataclass(frozen=True)
class Call:
    """One use of a layer or operation on symbolic tensors.

    ``path`` is the layer's name, behind those of the models that it is nested in, joined by ``/``;
    ``alone`` tells whether it is the only use in its model.
    """

    operation: Any
    path: str
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    arguments: Any
    alone: bool = True


def check_model(model: Any) -> None:
    """Refuse what has no graph of layers to read.

    Raises
    ------
    ParameterError
        For what is no Keras model, one that was never built, or one of a class that overrides what
        a functional model does when it is called.
    """
    if not isinstance(model, keras.Model):
        raise ParameterError(
            f"model: received {type(model).__name__}, expected a keras.Model of the functional or "
            "sequential kind"
        )
    if type(model) is keras.Sequential and not model.built:
        raise ParameterError(
            f"model: received {model.name!r}, which is not built; call it once or give "
            "it a keras.Input"
        )
    if not (is_functional(model) or is_plain_inside(model)):
        raise ParameterError(
            f"model: received {model.name!r}, a subclassed {type(model).__name__}, expected a "
            "functional or sequential model that overrides no call; write it as "
            "keras.Model(inputs, outputs)"
        )


def is_functional(operation: Any) -> bool:
    """Tell whether an operation is a model whose graph says all that it does.

    A subclass may do anything between its inputs and outputs, and cannot be made of its config.
    """
    return type(operation) in (Functional, keras.Sequential) and graph_of(operation) is not None


def is_plain_inside(operation: Any) -> bool:
    """Tell whether a model of a class of its own is called as a functional one.

    Such are the backbones of keras-hub: the class says how the graph is made, and no more.
    """
    kind = type(operation)
    if not (isinstance(operation, Functional) and kind.call is Functional.call):
        return False
    called = kind.__call__
    known = called is Functional.__call__ or f"{called.__module__}.{called.__qualname__}" in CHECKS
    return known and hasattr(operation, "_nodes_by_depth")


def is_operation(kind: Any) -> bool:
    """Tell whether a class or a function is one of `keras.ops`."""
    module: str = kind.__module__
    return module.startswith("keras.src.ops.")


def graph_of(model: Any) -> Any | None:
    """Return the functional graph inside a model, None where there is none."""
    if isinstance(model, keras.Sequential):
        return model._functional
    return model if hasattr(model, "_nodes_by_depth") else None


def calls(model: Any, prefix: str = "") -> Iterator[Call]:
    """Yield a model's calls, inputs first; nested models are one call each."""
    graph = graph_of(model)
    if graph is None:
        return
    depths = sorted(graph._nodes_by_depth, reverse=True)
    nodes = [node for depth in depths for node in graph._nodes_by_depth[depth]]
    uses = Counter(id(node.operation) for node in nodes)
    for node in nodes:
        yield Call(
            operation=node.operation,
            path=prefix + node.operation.name,
            inputs=tuple(node.input_tensors),
            outputs=tuple(node.output_tensors),
            arguments=node.arguments,
            alone=uses[id(node.operation)] == 1,
        )


def ends(model: Any) -> tuple[list[Any], list[Any]]:
    """Return the symbolic inputs and outputs of a model's graph, in its order."""
    graph = graph_of(model)
    assert graph is not None
    return list(graph._inputs), list(graph._outputs)


def flat_inputs(call: Call) -> list[Any]:
    """Return what a nested model is called with in the order of `ends`, as Keras itself sorts it.

    A dict goes by the inputs' names, unless the model has a dict of its own; everything else goes
    by its structure.
    """
    graph, arguments = graph_of(call.operation), call.arguments
    assert graph is not None
    argument = arguments.args[0] if arguments.args else arguments.kwargs.get("inputs")
    if isinstance(argument, dict) and not isinstance(graph._inputs_struct, dict):
        argument = [argument.get(tensor.name) for tensor in graph._inputs]
    found: list[Any] = keras.tree.flatten(argument)
    return found


def shapes_inside(model: Any, shapes: list[Shape]) -> dict[int, Shape]:
    """Return the shape of each tensor inside a model that is called with inputs of such shapes.

    By the tensor's id; nothing where these are the shapes that the tensors say themselves.
    """
    first = ends(model)[0]
    if all(tuple(own.shape) == shape for own, shape in zip(first, shapes, strict=True)):
        return {}
    made = {
        id(own): keras.KerasTensor(shape, own.dtype, sparse=own.sparse)
        for own, shape in zip(first, shapes, strict=True)
    }
    for call in calls(model):
        if call.inputs:
            args, kwargs = call.arguments.fill_in(made)
            outputs = keras.tree.flatten(call.operation.compute_output_spec(*args, **kwargs))
        else:
            outputs = [made.get(id(tensor), tensor) for tensor in call.outputs]
        made |= {id(own): found for own, found in zip(call.outputs, outputs, strict=True)}
    return {key: tuple(tensor.shape) for key, tensor in made.items()}


def packed(model: Any, parts: list[Any]) -> Any:
    """Arrange one part for each input, in the order of `ends`, as the model takes them."""
    graph = graph_of(model)
    assert graph is not None
    return keras.tree.pack_sequence_as(graph._inputs_struct, parts)


def last_operations(model: Any) -> list[Any]:
    """Return what makes each output of a model's graph."""
    return [tensor._keras_history.operation for tensor in ends(model)[1]]


def layers_by_path(model: Any, prefix: str = "") -> dict[str, Any]:
    """Map the path of every layer to the layer; nested models are entered, not listed."""
    found: dict[str, Any] = {}
    for layer in model.layers:
        path = prefix + layer.name
        if is_functional(layer):
            found |= layers_by_path(layer, f"{path}/")
        else:
            found[path] = layer
    return found
