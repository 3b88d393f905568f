"""Gradients and activations of a model's channels on data, on any backend of Keras."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from slimderm.components.keras_support.listening import listening, pairs
from slimderm.components.keras_support.optimizers import spare_sum
from slimderm.components.model_graph import rules_einsum
from slimderm.components.model_graph.channel_labels import FIXED, Labels
from slimderm.components.model_graph.copies import copied
from slimderm.components.model_graph.graph import Graph
from slimderm.components.model_graph.trace import trace

Floats = npt.NDArray[np.float64]


class _Products(keras.optimizers.Optimizer):  # type: ignore[misc]  # keras has no types
    """An optimizer that moves nothing: it sums, batch by batch, what Taylor's criterion wants.

    So gradients come from whatever backend trains the model, through its own training step.
    """

    def __init__(self, axes: dict[int, set[int]]) -> None:
        super().__init__(learning_rate=1.0, name="products")
        self.axes = axes  # id of a kernel to the axes of its filters
        self.sums: dict[tuple[int, int], Any] = {}
        self.places: list[dict[int, Any]] = []

    def build(self, variables: list[Any]) -> None:
        if self.built:
            return
        super().build(variables)
        for variable in variables:
            totals = {
                axis: self.add_variable((variable.shape[axis],), dtype="float32", name="products")
                for axis in sorted(self.axes.get(id(variable), ()))
            }
            self.sums |= {(id(variable), axis): total for axis, total in totals.items()}
            self.places.append(totals)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        for axis, total in self.places[self._get_variable_index(variable)].items():
            others = [index for index in range(len(variable.shape)) if index != axis]
            product = keras.ops.sum(keras.ops.multiply(gradient, variable), axis=others)
            self.assign_add(total, keras.ops.cast(keras.ops.square(product), "float32"))


def filter_products(graph: Graph, batches: Any, loss: Any) -> Iterator[tuple[Labels, Floats]]:
    """Sum (weight times gradient) over each filter, square it, and sum over batches.

    The model itself is left alone: a copy is used, which computes as in inference.

    Yields
    ------
    labels, values
        For each layer that makes channels.

    Raises
    ------
    ParameterError
        When there is no batch, or one that is no pair of inputs and targets.
    """
    copy = _quiet_copy(graph.model)
    producers = trace(copy).producers
    axes: dict[int, set[int]] = {}  # attention's values have heads and places
    for producer in producers.values():
        axes.setdefault(id(producer.variable), set()).add(producer.axis)
    optimizer = _Products(axes)
    spare_sum(optimizer)
    copy.compile(optimizer, loss)
    number = 0
    for inputs, targets in pairs(batches):
        copy.train_on_batch(inputs, targets)
        number += 1
    for path, producer in graph.producers.items():
        total = optimizer.sums[id(producers[path].variable), producers[path].axis]
        yield producer.labels, np.asarray(keras.ops.convert_to_numpy(total), np.float64) / number


def _quiet_copy(model: keras.Model) -> keras.Model:
    """Return a copy that is trained as others are, but computes as in inference."""
    copy: keras.Model = copied(model)
    copy.trainable = True
    original = copy.call

    def call(inputs: Any, training: Any = None, mask: Any = None) -> Any:
        return original(inputs, training=False, mask=mask)

    object.__setattr__(copy, "call", call)
    return copy


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
    reading = {
        id(slot.layer): slot
        for slot in graph.slots
        if (slot.labels != FIXED).any() and slot.axis == _reads(slot.layer, slot.variable)
    }
    sums: dict[int, list[Any]] = {}

    def note(layer: Any, inputs: Any) -> None:
        values = np.asarray(keras.ops.convert_to_numpy(inputs), np.float64)
        if getattr(layer, "data_format", None) == "channels_first" and values.ndim > 2:
            values = np.moveaxis(values, 1, -1)
        flat = values.reshape(-1, values.shape[-1])
        total = sums.setdefault(id(layer), [0.0, 0.0, 0])
        total[0] = total[0] + np.abs(flat).sum(0)
        total[1] = total[1] + (flat > 0).sum(0)
        total[2] += len(flat)

    with listening([slot.layer for slot in reading.values()], note):
        for inputs, _ in pairs(batches):
            graph.model(inputs, training=False)
    for key, (absolute, positive, count) in sums.items():
        labels = reading[key].labels
        groups = len(absolute) // len(labels)  # grouped convolutions read several places a row
        yield np.tile(labels, groups), absolute / count, positive / count


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
