"""Functions that treat every value by itself: they are followed on symbolic tensors."""

import inspect
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from slimderm.components.model_graph.calls import calls, is_operation
from slimderm.components.model_graph.followed import told

# Classes of operations that treat every value by itself.
BY_VALUE = (
    "Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Maximum", "Minimum", "Negative",
    "Absolute", "Square", "Sqrt", "Rsqrt", "Reciprocal", "Exp", "Expm1", "Log", "Log1p", "Power",
    "Sign", "Sin", "Cos", "Tanh", "Erf", "Floor", "Ceil", "Round", "Relu", "Relu6", "Sigmoid",
    "LogSigmoid", "Silu", "Softplus", "Softsign", "HardSigmoid", "HardSilu", "HardTanh", "Elu",
    "Selu", "Celu", "Gelu", "LeakyRelu", "Mish", "Where", "Greater", "GreaterEqual", "Less",
    "LessEqual", "Equal", "NotEqual", "LogicalAnd", "LogicalOr", "LogicalNot",
)  # fmt: skip


def is_by_value(function: Callable[..., Any]) -> bool:
    """Tell whether a function of one tensor is made of operations that treat values by themselves.

    It is followed at two shapes: what it does must not depend on them.
    """
    try:
        if {"training", "mask"} & set(inspect.signature(function).parameters):
            return False
        first, second = (_steps(function, shape) for shape in ((3, 5), (4, 7)))
    except Exception:  # whatever the code of somebody's function raises without values
        return False
    return first is not None and first == second


def _steps(function: Callable[..., Any], shape: tuple[int, ...]) -> list[Any] | None:
    """List the operations that a function is made of, None where it is made of others."""
    given = keras.Input(shape)
    made = function(given)
    if not isinstance(made, keras.KerasTensor) or made.shape != given.shape:
        return None
    steps: list[Any] = []
    for call in calls(keras.Model(given, made)):
        kind = type(call.operation)
        parts = [_single(part) for part in told(call) if part is not call.operation.name]
        if not call.inputs:
            continue
        if not is_operation(kind) or kind.__name__ not in (*BY_VALUE, "Cast", "Clip"):
            return None
        steps.append((kind.__name__, len(call.inputs), parts))
    return steps


def _single(part: Any) -> Any:
    """Return an argument as one number, text or None."""
    if part is None or isinstance(part, bool | str):
        return part
    if keras.ops.is_tensor(part):
        part = keras.ops.convert_to_numpy(part)
    if np.ndim(part) or not isinstance(part, int | float | np.number | np.ndarray):
        raise ValueError("an argument that is no single number")
    return float(part)
