"""What a model's layers read of its channels, on data."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from slimderm.components.keras_support.listening import listening, pairs
from slimderm.components.model_graph import rules_einsum
from slimderm.components.model_graph.channel_labels import FIXED, Labels, Slot
from slimderm.components.model_graph.graph import Graph
from slimderm.components.pruning.criteria.base import Floats


def read_activations(graph: Graph, batches: Any) -> Iterator[tuple[Labels, Floats, Floats]]:
    """Measure channels where layers with weights read them.

    Yields
    ------
    labels, mean, active
        For each reading layer: the coupled set of each place it reads, the mean absolute value
        there and the share of values above zero, over all batches and positions.

    Raises
    ------
    ParameterError
        When there is no batch, or one that is no pair of inputs and targets.
    """
    sums: dict[int, list[Any]] = {}
    labels_of: dict[int, Labels] = {}

    def note(slot: Slot, values: Floats) -> None:
        flat = values.reshape(-1, values.shape[-1])
        labels_of[id(slot)] = slot.labels
        total = sums.setdefault(id(slot), [0.0, 0.0, 0])
        total[0] = total[0] + np.abs(flat).sum(0)
        total[1] = total[1] + (flat > 0).sum(0)
        total[2] += len(flat)

    listen(graph, batches, note)
    for key, (absolute, positive, count) in sums.items():
        labels = labels_of[key]
        groups = len(absolute) // len(labels)  # grouped convolutions read several places a row
        yield np.tile(labels, groups), absolute / count, positive / count


def listen(graph: Graph, batches: Any, note: Callable[[Slot, Floats], None]) -> None:
    """Hand on what layers with weights read while batches go through the model.

    Parameters
    ----------
    graph : Graph
        Of the model.
    batches : iterable of (inputs, targets)
    note : callable
        Takes the slot of a layer's reading weight, and the values that the layer is called with,
        channels last.

    Raises
    ------
    ParameterError
        When there is no batch, or one that is no pair of inputs and targets.
    """
    reading = {
        id(slot.layer): slot
        for slot in graph.slots
        if (slot.labels != FIXED).any() and slot.axis == _reads(slot.layer, slot.variable)
    }

    def hear(layer: Any, inputs: Any) -> None:
        values = np.asarray(keras.ops.convert_to_numpy(inputs), np.float64)
        if getattr(layer, "data_format", None) == "channels_first" and values.ndim > 2:
            values = np.moveaxis(values, 1, -1)
        note(reading[id(layer)], values)

    with listening([slot.layer for slot in reading.values()], hear):
        for inputs, _ in pairs(batches):
            graph.model(inputs, training=False)


def _reads(layer: Any, variable: Any) -> int | None:
    """Return the axis along which a layer's kernel reads channels, None for other weights."""
    if isinstance(layer, keras.layers.Dense):
        return 0 if variable is layer.kernel else None
    if isinstance(layer, keras.layers.EinsumDense):
        return rules_einsum.last_axis_read(layer) if variable is layer.kernel else None
    rank = len(variable.shape)
    if variable is getattr(layer, "depthwise_kernel", None):
        return rank - 2
    if variable is not getattr(layer, "kernel", None):
        return None
    backwards = "Transpose" in type(layer).__name__
    return rank - (1 if backwards else 2)
