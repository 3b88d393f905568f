"""Composite layers as graphs of what is inside them: their calls are followed on symbolic tensors.

A transformer's encoder as one layer makes its own layers, of sizes that depend on each other, and
its config cannot say that half of its heads are gone. Its call can be followed as that of a model
is: what comes out is a functional model of the very layers inside, called by its name.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras.src.models.functional import Functional

from slimderm.components.model_graph.batch_sizes import MARK, PARTS, has_mark, unmarked
from slimderm.components.model_graph.calls import Call, calls
from slimderm.components.model_graph.channel_labels import Axes, Coupling, unknown
from slimderm.components.model_graph.followed import Reads, obstacle
from slimderm.components.model_graph.held import held, is_alone
from slimderm.components.model_graph.lengths import lengths_as_objects
from slimderm.components.model_graph.open_training import told, with_training_open
from slimderm.components.model_graph.own_weights import cast, constant_as_tensor, weight_as_tensor

DIVIDED = "The total size of the tensor must be unchanged"  # what Keras says of a reshape


@dataclass(frozen=True)
class Composite:
    """The rule of a layer that is followed by what it calls: layers that it holds, operations.

    ``parts`` replaces attributes of the layer while its call is followed: each is a function of
    what the layer has there, such as a method that needs a size which is not known yet.
    """

    parts: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)

    def __call__(self, coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
        """Be a barrier where the call could not be followed, and say why."""
        history = getattr(call.outputs[0], "_keras_history", None)
        if history is None or history.operation is not call.operation:
            found: Any = "stands inside a wrapper"
        else:
            found = unfolded([call], self)
        reason = found if isinstance(found, str) else "is called with different arguments or shapes"
        return unknown(coupling, call, inputs, f"{type(call.operation).__name__} {reason}")


def unfolded(uses: Sequence[Call], rule: Composite, name: str = "") -> Functional | str:
    """Follow a layer's call on symbolic tensors.

    Parameters
    ----------
    uses : sequence of Call
        All of the layer in its model.
    rule : Composite
    name : str
        Of the model, where that is not the layer's.

    Returns
    -------
    Functional or str
        A model which takes the tensors of a call as a list; it has the layer's
        own layers, and embeddings that hold what weights the layer has beside theirs. Or why there
        is none.
    """
    first = uses[0]
    if any(_alike(use) != _alike(first) for use in uses[1:]):
        return "is called with different arguments or shapes"
    tensors = [tensor for use in uses for tensor in use.inputs]
    if any(getattr(tensor, "_keras_mask", None) is not None for tensor in tensors):
        return "is called with tensors that carry masks"
    if any(has_mark(tensor.shape[1:]) for tensor in first.inputs):
        return f"has sizes that are multiples of {MARK}"
    if first.operation.activity_regularizer is not None:
        return "has an activity regularizer"
    found = _attempt(first, rule, MARK, name)
    if isinstance(found, str) and DIVIDED in found:
        found = _attempt(first, rule, MARK * PARTS, name)
    return found


def _attempt(call: Call, rule: Composite, batch: int, name: str) -> Functional | str:
    """Follow a call with a batch of one size, and make a model of any batch of what comes out."""
    try:
        marked = Functional(*with_training_open(lambda: _followed(call, rule, batch)))
        for layer, training in told(marked):
            return f"calls {layer} with training={training}, which is not kept"
        made = unmarked(marked, name=name or call.operation.name)
        return obstacle(call, made) or _alone(made) or made
    except Exception as error:  # whatever the code of somebody's layer raises without values
        lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        return f"has a call that cannot be followed: {' '.join(lines[:2])}"


def _alone(made: Functional) -> str | None:
    """Say which layer inside gives out what is no tensor, and cannot be followed either."""
    from slimderm.components.model_graph.custom_rules import custom_rule  # where this rule stands

    for call in calls(made):
        if is_alone(call.operation):
            rule = custom_rule(type(call.operation))
            found = unfolded([call], rule) if isinstance(rule, Composite) else "is not composite"
            if isinstance(found, str):
                return f"holds {call.operation.name}, which gives out what is no tensor and {found}"
    return None


def _alike(call: Call) -> Any:
    """Describe a call: the shapes of its tensors, and its other arguments."""

    def said(part: Any) -> Any:
        if isinstance(part, keras.KerasTensor):
            return f"{part.shape} {part.dtype}"
        if part is None or isinstance(part, bool | int | float | complex | str | bytes):
            return repr(part)
        if isinstance(part, np.ndarray | np.generic) or keras.ops.is_tensor(part):
            values = keras.ops.convert_to_numpy(part)
            return f"{values.shape} {values.dtype} {values.tobytes().hex()}"
        return f"object {id(part)}"  # alike where it is the same

    arguments = (call.arguments.args, call.arguments.kwargs)
    return keras.tree.map_structure(said, arguments)


def _followed(call: Call, rule: Composite, batch: int) -> tuple[list[Any], list[Any]]:
    """Call a stand-in of the layer with tensors of a batch that can be told from other sizes."""
    layer = call.operation
    inputs = [
        keras.Input(batch_shape=(batch, *tensor.shape[1:]), dtype=tensor.dtype, name=f"input_{i}")
        for i, tensor in enumerate(call.inputs)
    ]
    args, kwargs = _with_tensors(call, [cast(layer, tensor) for tensor in inputs])
    stand_in = _stand_in(layer, rule, inputs[0])
    signature = inspect.signature(type(layer).call)
    if "training" not in signature.parameters:
        kwargs.pop("training", None)  # Keras does not hand it on either
    bound = signature.bind(stand_in, *args, **kwargs)
    if "training" in signature.parameters:
        bound.arguments["training"] = None  # left open, as in a functional model
    with Reads(layer.weights) as reads, lengths_as_objects():
        outputs = type(layer).call(*bound.args, **bound.kwargs)
    if reads.found:
        raise ValueError(f"it reads {reads.found[0]} beside the call of the layer that holds it")
    found = [
        constant_as_tensor(part, inputs[0]) if keras.ops.is_tensor(part) else part
        for part in keras.tree.flatten(outputs)
    ]
    if is_alone(layer):
        found = [part for part in found if isinstance(part, keras.KerasTensor)]
    if not all(isinstance(tensor, keras.KerasTensor) for tensor in found):
        raise ValueError("it returns what is no tensor")
    return inputs, found


def _with_tensors(call: Call, tensors: Sequence[Any]) -> Any:
    """Return a call's arguments with others in the places of its tensors, in their order."""
    arguments, left = (call.arguments.args, call.arguments.kwargs), iter(tensors)
    parts = [
        next(left) if isinstance(part, keras.KerasTensor) else part
        for part in keras.tree.flatten(arguments)
    ]
    return keras.tree.pack_sequence_as(arguments, parts)


def _stand_in(layer: Any, rule: Composite, beside: Any) -> Any:
    """Return an object that calls as the layer does, with tensors in place of its own weights."""
    found = object.__new__(type(layer))
    found.__dict__.update(vars(layer))
    own = {id(variable) for variable in layer._trainable_variables + layer._non_trainable_variables}
    modules = vars(layer).get("_modules", {})  # where PyTorch has layers that are held
    for name, value in {**modules, **vars(layer)}.items():
        if id(value) in own:
            found.__dict__[name] = weight_as_tensor(layer, value, name, beside)
        elif _is_index(value):  # what a layer inside makes of it is no constant
            found.__dict__[name] = constant_as_tensor(value, beside)
        elif isinstance(value, list | keras.layers.Layer):
            found.__dict__[name] = held(value)
    for name, part in rule.parts.items():
        found.__dict__[name] = part(getattr(layer, name))
    found.__dict__["add_loss"] = _no_loss
    return found


def _no_loss(loss: Any) -> None:
    raise ValueError("it adds a loss")


def _is_index(value: Any) -> bool:
    return bool(keras.ops.is_tensor(value) and keras.backend.is_int_dtype(value.dtype))
