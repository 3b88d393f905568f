"""Composite layers as graphs of what is inside them: their calls are followed on symbolic tensors.

A transformer's encoder as one layer makes its own layers, of sizes that depend on each other, and
its config cannot say that half of its heads are gone. Its call can be followed as that of a model
is: what comes out is a functional model of the very layers inside, called by its name.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
from keras.src.models.functional import Functional

from slimderm.components.model_graph.batch_sizes import MARK, PARTS, has_mark, unmarked
from slimderm.components.model_graph.calls import Call, Shape, calls
from slimderm.components.model_graph.channel_labels import Axes, Coupling, unknown


@dataclass(frozen=True)
class Composite:
    """The rule of a layer that is followed by what it calls: layers that it holds, operations.

    ``parts`` replaces attributes of the layer while its call is followed: each is a function of
    what the layer has there, such as a method that needs a size which is not known yet.
    """

    parts: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)

    def __call__(self, coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
        """Be a barrier where the call could not be followed, and say why."""
        found = unfolded([call], self)
        reason = found if isinstance(found, str) else "is not called alike"
        return unknown(coupling, call, inputs, f"{type(call.operation).__name__} {reason}")


def unfolded(uses: Sequence[Call], rule: Composite) -> Functional | str:
    """Follow a layer's call on symbolic tensors.

    Parameters
    ----------
    uses : sequence of Call
        All of the layer in its model.
    rule : Composite

    Returns
    -------
    Functional or str
        A model of the layer's name, which takes the tensors of a call as a list; it has the layer's
        own layers, and embeddings that hold what weights the layer has beside theirs. Or why there
        is none.
    """
    first = uses[0]
    if any(_alike(use) != _alike(first) for use in uses[1:]):
        return "is called with different arguments or shapes"
    if any(getattr(tensor, "_keras_mask", None) is not None for tensor in first.inputs):
        return "is called with tensors that carry masks"
    if any(has_mark(tensor.shape[1:]) for tensor in first.inputs):
        return f"has sizes that are multiples of {MARK}"
    found = _attempt(first, rule, MARK)
    if isinstance(found, str):
        found = _attempt(first, rule, MARK * PARTS)
    return found if isinstance(found, str) else _checked(first, found)


def _attempt(call: Call, rule: Composite, batch: int) -> Functional | str:
    """Follow a call with a batch of one size, and make a model of any batch of what comes out."""
    try:
        return unmarked(*_followed(call, rule, batch), name=call.operation.name)
    # What the code of somebody's layer raises where it cannot work without values.
    except (TypeError, ValueError, AttributeError, IndexError, NotImplementedError) as error:
        lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        return f"has a call that cannot be followed: {' '.join(lines[:2])}"


def _alike(call: Call) -> Any:
    """Describe a call: the shapes of its tensors, and its other arguments."""

    def said(part: Any) -> str:
        symbolic = isinstance(part, keras.KerasTensor)
        return f"{part.shape} {part.dtype}" if symbolic else repr(part)

    arguments = (call.arguments.args, call.arguments.kwargs)
    return keras.tree.map_structure(said, arguments)


def _followed(call: Call, rule: Composite, batch: int) -> tuple[list[Any], list[Any]]:
    """Call a stand-in of the layer with tensors of a batch that can be told from other sizes."""
    layer, arguments = call.operation, call.arguments
    inputs = [
        keras.Input(batch_shape=(batch, *tensor.shape[1:]), dtype=tensor.dtype, name=f"input_{i}")
        for i, tensor in enumerate(call.inputs)
    ]
    given = {id(old): new for old, new in zip(call.inputs, inputs, strict=True)}
    args, kwargs = keras.tree.map_structure(
        lambda part: _cast(layer, given.get(id(part), part)), (arguments.args, arguments.kwargs)
    )
    outputs = type(layer).call(_stand_in(layer, rule, inputs[0]), *args, **kwargs)
    found = keras.tree.flatten(outputs)
    if not all(isinstance(tensor, keras.KerasTensor) for tensor in found):
        raise ValueError("it returns what is no tensor")
    return inputs, found


def _cast(layer: Any, tensor: Any) -> Any:
    """Cast a tensor as Keras does before it calls a layer."""
    if not isinstance(tensor, keras.KerasTensor) or not layer.autocast:
        return tensor
    floating = keras.backend.is_float_dtype(tensor.dtype)
    if not floating or tensor.dtype == layer.compute_dtype:
        return tensor
    return keras.ops.cast(tensor, layer.compute_dtype)


def _stand_in(layer: Any, rule: Composite, beside: Any) -> Any:
    """Return an object that calls as the layer does, with tensors in place of its own weights."""
    found = object.__new__(type(layer))
    found.__dict__.update(vars(layer))
    own = {id(variable) for variable in layer._trainable_variables + layer._non_trainable_variables}
    for name, value in vars(layer).items():
        if id(value) in own:
            found.__dict__[name] = _held(value, name, beside)
        elif _is_index(value):  # what a layer inside makes of it is no constant
            found.__dict__[name] = _hung(value, beside)
        elif isinstance(value, list | keras.Sequential | keras.layers.Identity):
            found.__dict__[name] = _in_turn(value)
    for name, part in rule.parts.items():
        found.__dict__[name] = part(getattr(layer, name))
    return found


def _is_index(value: Any) -> bool:
    return bool(keras.ops.is_tensor(value) and keras.backend.is_int_dtype(value.dtype))


def _in_turn(part: Any) -> Any:
    """Call the layers of a sequential model one by one, whatever size it was built for.

    None of an `Identity`, which Keras cannot always make again from its config.
    """
    if isinstance(part, list):
        return [_in_turn(each) for each in part]
    if isinstance(part, keras.layers.Identity):
        return lambda inputs, **_: inputs
    if not isinstance(part, keras.Sequential):
        return part

    def call(inputs: Any, training: Any = None) -> Any:
        for layer in part.layers:
            inputs = layer(inputs)
        return inputs

    return call


def _hung(values: Any, beside: Any) -> Any:
    """Return a symbolic tensor of constant whole numbers: it hangs on one, whatever its values."""
    zero = keras.ops.sum(keras.ops.zeros_like(beside, dtype=values.dtype))
    return keras.ops.add(keras.ops.convert_to_numpy(values), zero)


def _held(variable: Any, name: str, beside: Any) -> Any:
    """Return a symbolic tensor with a weight's values, which an embedding holds."""
    *places, width = variable.shape
    embedding = keras.layers.Embedding(
        math.prod(places), width, dtype=variable.dtype, name=name, trainable=variable.trainable
    )
    embedding.build(())
    embedding.embeddings.assign(keras.ops.reshape(variable, (-1, width)))
    indices = keras.ops.arange(math.prod(places), dtype="int32")
    return embedding(_hung(keras.ops.reshape(indices, places), beside))


def _checked(call: Call, model: Functional) -> Functional | str:
    """Refuse a graph that is not all of the layer."""
    found, expected = ([tuple(x.shape) for x in each.outputs] for each in (model, call))
    if not (len(found) == len(expected) and all(map(_fits, found, expected))):
        return f"has a call whose outputs are followed as {found}, not {expected}"
    count = sum(math.prod(weight.shape) for weight in call.operation.weights)
    if model.count_params() != count:
        return "has weights that its call does not show"
    constants = [
        part
        for each in calls(model)
        for part in keras.tree.flatten((each.arguments.args, each.arguments.kwargs))
    ]
    if any(has_mark(getattr(part, "shape", ())) for part in constants):
        return "makes a constant for each sample"
    return model


def _fits(first: Shape, second: Shape) -> bool:
    """Tell whether two shapes can be one, where sizes are not known yet."""
    pairs = zip(first, second, strict=False)
    return len(first) == len(second) and all(a == b or None in (a, b) for a, b in pairs)
