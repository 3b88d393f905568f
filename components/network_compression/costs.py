"""What a built model costs, in the kinds of `slimderm.components.pruning.names.KINDS`."""

from collections.abc import Callable

import keras

from slimderm.components.model_graph.cost import multiply_accumulates
from slimderm.components.model_graph.latency import latency
from slimderm.components.pruning.budget import saved_bytes

_MEASURES: dict[str, Callable[[keras.Model], float]] = {
    "parameters": lambda model: model.count_params(),
    "multiply_accumulates": multiply_accumulates,
    "bytes": saved_bytes,
    "latency_ms": latency,
}


def measure(model: keras.Model, kind: str) -> float:
    """Measure what a built model costs.

    Parameters
    ----------
    model : keras.Model
        Not compiled.
    kind : str
        One of `slimderm.components.pruning.names.KINDS`.
    """
    return _MEASURES[kind](model)
