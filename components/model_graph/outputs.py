"""Looking into a network: what leaves a layer, and inputs in the form that a model takes."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from slimderm.components.common.checks import look_up
from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import calls, check_model, ends, is_functional

KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")


def has_kernel(layer: Any) -> bool:
    """Tell whether a layer holds a kernel: convolutions of all kinds, dense layers."""
    return any(getattr(layer, name, None) is not None for name in KERNELS)


def layer_outputs(model: keras.Model) -> dict[str, Any]:
    """Map each layer to the symbolic output of its first call in the model's own graph.

    ``layer.output`` would be that of the layer's first call anywhere, perhaps in another model.

    Raises
    ------
    ParameterError
        For a model without a graph.
    """
    check_model(model)
    found: dict[str, Any] = {}
    for call in calls(model):
        if isinstance(call.operation, keras.layers.Layer):
            found.setdefault(call.operation.name, call.outputs[0])
    return found


def last_activation(model: keras.Model) -> str:
    """Name the activation that makes a model's first output, or else the operation that does."""
    operation = ends(model)[1][0]._keras_history.operation
    while is_functional(operation):
        operation = ends(operation)[1][0]._keras_history.operation
    if type(operation).__name__ == "Softmax":
        return "softmax"
    said = getattr(getattr(operation, "activation", None), "__name__", "")
    return said or type(operation).__name__


def output_of(model: keras.Model, name: str) -> Any:
    """Return a layer's output.

    Raises
    ------
    ParameterError
        For a layer that the model lacks.
    """
    known = layer_outputs(model)
    return look_up("layer", name, known)


def arrange(graph: Any, inputs: Any) -> Any:
    """Return the inputs as arrays, in the structure in which the model takes them.

    Raises
    ------
    ParameterError
        For a dict that lacks an input.
    """
    if isinstance(inputs, dict):
        names = [tensor.name for tensor in graph.inputs]
        keys = list(graph.input) if isinstance(graph.input, dict) else names
        missing = [key for key in keys if key not in inputs]
        if missing:
            raise ParameterError(
                f"inputs: received {sorted(inputs)}, expected {', '.join(missing)} as well"
            )
        inputs = {key: inputs[key] for key in keys}
        if not isinstance(graph.input, dict):
            inputs = [inputs[key] for key in keys]
    parts = [to_numpy(part) for part in keras.tree.flatten(inputs)]
    return keras.tree.pack_sequence_as(graph.input, parts)


def take(inputs: Any, index: int) -> Any:
    """Return one sample of a batch, as a batch of one."""
    return keras.tree.map_structure(lambda part: part[index : index + 1], inputs)


def to_numpy(values: Any) -> npt.NDArray[Any]:
    """Return a tensor of any backend as an array."""
    return np.asarray(keras.ops.convert_to_numpy(values))
