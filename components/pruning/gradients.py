"""Gradients of a model's weights on data, summed up by filter, on any backend of Keras."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from slimderm.components.keras_support.listening import pairs
from slimderm.components.keras_support.optimizers import spare_sum
from slimderm.components.model_graph.channel_labels import Labels
from slimderm.components.model_graph.copies import copied
from slimderm.components.model_graph.graph import Graph
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.criteria.base import Floats

# From the products weight times gradient of a kernel and all axes but its filters', (F,).
Reduce = Callable[[Any, list[int]], Any]


def squared_sum(products: Any, axes: list[int]) -> Any:
    """Square the sum over each filter: the filter goes as a whole."""
    return keras.ops.square(keras.ops.sum(products, axis=axes))


def sum_of_squares(products: Any, axes: list[int]) -> Any:
    """Sum the squares over each filter: each weight goes by itself."""
    return keras.ops.sum(keras.ops.square(products), axis=axes)


class _Products(keras.optimizers.Optimizer):  # type: ignore[misc]  # keras has no types
    """An optimizer that moves nothing: it sums, batch by batch, what criteria make of gradients.

    So gradients come from whatever backend trains the model, through its own training step.
    """

    def __init__(self, axes: dict[int, set[int]], reduce: Reduce) -> None:
        super().__init__(learning_rate=1.0, name="products")
        self.axes, self.reduce = axes, reduce  # id of a kernel to the axes of its filters
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
            found = self.reduce(keras.ops.multiply(gradient, variable), others)
            self.assign_add(total, keras.ops.cast(found, "float32"))


def filter_products(
    graph: Graph, batches: Any, loss: Any, reduce: Reduce = squared_sum
) -> Iterator[tuple[Labels, Floats]]:
    """Reduce (weight times gradient) over each filter, and take the mean over batches.

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
    optimizer = _Products(axes, reduce)
    spare_sum(optimizer)
    copy.compile(optimizer, loss)
    number = 0
    for inputs, targets in pairs(batches):
        copy.train_on_batch(inputs, targets)
        number += 1
    for path, producer in graph.producers.items():
        total = optimizer.sums[id(producers[path].variable), producers[path].axis]
        yield producer.labels, np.asarray(keras.ops.convert_to_numpy(total), np.float64) / number


def one_by_one(batches: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each input by itself, as a batch of one, with its target.

    Raises
    ------
    ParameterError
        When there is no batch, or one that is no pair of inputs and targets.
    """
    for batch in pairs(batches):
        number = len(keras.tree.flatten(batch)[0])
        for place in range(number):
            few = slice(place, place + 1)
            inputs, targets = keras.tree.map_structure(lambda part, few=few: part[few], batch)
            yield inputs, targets


def _quiet_copy(model: keras.Model) -> keras.Model:
    """Return a copy that is trained as others are, but computes as in inference."""
    copy: keras.Model = copied(model)
    copy.trainable = True
    original = copy.call

    def call(inputs: Any, training: Any = None, mask: Any = None) -> Any:
        return original(inputs, training=False, mask=mask)

    object.__setattr__(copy, "call", call)
    return copy
