"""Check that what a layer's call was followed as is all of the layer, for a batch of any size."""

import math
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import keras
import numpy as np

from slimderm.components.model_graph.batch_sizes import has_mark
from slimderm.components.model_graph.calls import Call, Shape, calls, is_operation
from slimderm.components.model_graph.lengths import Length


class Reads(keras.StatelessScope):  # type: ignore[misc]
    """Notes which of some weights are read beside the calls of the layers that hold them.

    Inside such a call there is another scope. What is made of a weight out here is a constant: it
    would stay as it is when the weight is trained.
    """

    def __init__(self, weights: Any) -> None:
        super().__init__()
        self._weights = {id(weight) for weight in weights}
        self.found: list[str] = []

    def get_current_value(self, variable: Any) -> Any:
        """Return a variable's value in this scope, None where it is its own."""
        if id(variable) in self._weights:
            self.found.append(variable.path)
        return super().get_current_value(variable)


def obstacle(call: Call, model: Any) -> str | None:
    """Say what keeps a graph from standing for a layer; None where nothing does.

    Parameters
    ----------
    call : Call
        Of the layer.
    model : keras.Model
        What it was followed as.
    """
    found, expected = ([tuple(x.shape) for x in each.outputs] for each in (model, call))
    if not (len(found) == len(expected) and all(map(_fits, found, expected))):
        return f"has a call whose outputs are followed as {found}, not {expected}"
    weights = [
        weight
        for weight in call.operation.weights
        if keras.backend.is_float_dtype(weight.dtype)  # others are constants
    ]
    own = [weight for weight in model.weights if keras.backend.is_float_dtype(weight.dtype)]
    if sum(math.prod(weight.shape) for weight in own) != sum(
        math.prod(weight.shape) for weight in weights
    ):
        return "has weights that its call does not show"
    reasons = [reason for each in calls(model) if (reason := _obstacle(each))]
    pairs = zip(found, expected, strict=True)
    if not reasons and any(one[:1] not in ((None,), other[:1]) for one, other in pairs):
        return "has a call with an output that is not one for each sample"
    return reasons[0] if reasons else None


def _obstacle(call: Call) -> str | None:
    parts = list(told(call))
    if any(isinstance(part, keras.Variable) for part in parts):
        return f"takes a weight of a layer inside as an argument of {call.operation.name}"
    if any(isinstance(part, Length) for part in parts):
        return f"takes a length that is not known as an argument of {call.operation.name}"
    if any(isinstance(part, FunctionType) for part in parts):
        return f"calls a function of its own inside {call.operation.name}"
    if any(has_mark(getattr(part, "shape", ())) for part in parts):
        return "makes a constant for each sample"
    if any(has_mark([int(part)]) for part in parts if _is_whole(part)):
        return f"makes a constant of the size of the batch, in {call.operation.name}"
    return None


def told(call: Call) -> Iterator[Any]:
    """Yield all that a call is told beside tensors; the arguments of an operation are its own."""
    own = vars(call.operation) if is_operation(type(call.operation)) else {}
    known = {key: value for key, value in own.items() if not key.startswith("_")}
    for part in keras.tree.flatten((call.arguments.args, call.arguments.kwargs, known)):
        if isinstance(part, slice):
            yield from (part.start, part.stop)
        elif not isinstance(part, keras.KerasTensor):
            yield part


def _is_whole(part: Any) -> bool:
    """Tell whether a part is one whole number, be it one of NumPy or of the backend."""
    if isinstance(part, bool | str) or part is None:
        return False
    if keras.ops.is_tensor(part) or isinstance(part, np.ndarray):
        if tuple(part.shape) != ():
            return False
        part = keras.ops.convert_to_numpy(part).item()
    return isinstance(part, int | float | np.number) and math.isfinite(part) and part == int(part)


def _fits(first: Shape, second: Shape) -> bool:
    """Tell whether two shapes are of one rank and can be of one batch.

    Other sizes may differ: what a layer says of its outputs without calling itself may be wrong.
    """
    return len(first) == len(second) and (first[:1] == second[:1] or None in first[:1] + second[:1])
