"""The sign of each value, where zero counts as positive, and how it is trained."""

from typing import Any

import keras
from keras import ops

from slimderm.components.model_graph.calls import is_operation


def sign(values: Any) -> Any:
    """Return +1 where a value is at least 0, else -1; gradients go through between -1 and 1.

    It is made of Keras's own operations, so that a model may hold it. What is added is zero and
    has the gradient of the clipped values: the straight-through estimator.
    """
    near = ops.clip(values, -1.0, 1.0)
    signs = ops.where(values >= 0, 1.0, -1.0)
    dtype = keras.backend.standardize_dtype(near.dtype)
    if keras.backend.standardize_dtype(signs.dtype) != dtype:
        signs = ops.cast(signs, dtype)
    return signs + (near - ops.stop_gradient(near))


def is_sign(tensor: Any) -> bool:
    """Tell whether a symbolic tensor is what `sign` gives of a layer's output."""
    if not is_operation(type(tensor._keras_history.operation)):
        return False
    wanted = _described(sign(keras.Input(tensor.shape[1:], dtype=tensor.dtype)), {})
    return bool(_described(tensor, {}) == wanted)


def _described(part: Any, leaves: dict[int, int]) -> Any:
    """Write out the operations behind a tensor, as far as to the outputs of layers."""
    if not isinstance(part, keras.KerasTensor):
        return part
    operation, node, _ = part._keras_history
    if not is_operation(type(operation)):
        return leaves.setdefault(id(part), len(leaves))
    arguments = operation._inbound_nodes[node].arguments
    given = [*arguments.args, *arguments.kwargs.values()]
    settings = {key: value for key, value in operation.get_config().items() if key != "name"}
    return type(operation).__name__, settings, [_described(each, leaves) for each in given]
