"""Rules of the layers without weights that join and move axes."""

from collections.abc import Sequence

import numpy as np
from keras import layers

from slimderm.components.model_graph.calls import Call
from slimderm.components.model_graph.channel_labels import (
    FIXED,
    Axes,
    Coupling,
    Labels,
    Rule,
    channel_axis,
    only,
    placed,
)
from slimderm.components.model_graph.rules_reshape import flatten, reshape


def merge(
    coupling: Coupling, call: Call, inputs: Sequence[Axes], *, batch_first: bool = True
) -> Axes:
    """Unite the channels of what is added, multiplied or compared, place by place.

    Shapes are aligned at their ends. Where an axis of length 1 is spread over a longer one, its one
    channel stays. With ``batch_first`` a lower rank gets its new axes behind the batch, as Keras's
    merging layers have it, else before the first, as in NumPy.
    """
    shapes = [tensor.shape for tensor in call.inputs]
    target = call.outputs[0].shape
    rank = len(target)
    result: list[Labels | None] = [None] * rank
    for axis in range(rank):
        found: list[Labels | None] = []
        spread: list[Labels | None] = []
        for axes, shape in zip(inputs, shapes, strict=True):
            own = axis - (rank - len(shape))
            if own < 0 or (batch_first and own == 0 and axis > 0):
                continue
            alone = shape[own] == 1 and target[axis] != 1
            (spread if alone else found).append(axes[own])
        coupling.pin(*spread)
        result[axis] = joined(coupling, found)
    return tuple(result)


def joined(coupling: Coupling, found: Sequence[Labels | None]) -> Labels | None:
    """Unite the channels of an axis of several tensors; None where one has none."""
    for other in found[1:]:
        if found[0] is not None or other is not None:
            coupling.unite(found[0], other)
    return found[0] if found and all(labels is not None for labels in found) else None


def concatenate(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Put the labels of one axis behind each other; unite those of every other axis."""
    along = call.operation.axis % len(inputs[0])
    result: list[Labels | None] = []
    for axis in range(len(inputs[0])):
        found = [axes[axis] for axes in inputs]
        if axis != along:
            result.append(joined(coupling, found))
        elif all(labels is None for labels in found):
            result.append(None)
        else:
            sizes = [tensor.shape[axis] for tensor in call.inputs]
            parts = [
                np.full(size, FIXED) if labels is None else labels
                for labels, size in zip(found, sizes, strict=True)
            ]
            result.append(np.concatenate(parts))
    return tuple(result)


def permute(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Move axes."""
    return (inputs[0][0], *(inputs[0][index] for index in call.operation.dims))


def window(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Pool, pad, crop or repeat along space; channels pass."""
    axis = channel_axis(call.operation, len(inputs[0]))
    return placed(inputs[0], axis, only(coupling, call, inputs[0], axis))


def global_pool(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Pool all of space."""
    passed = window(coupling, call, inputs)
    if call.operation.keepdims:
        return passed
    return (None, next((labels for labels in passed if labels is not None), None))


def repeat(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Repeat a vector along a new axis."""
    return (inputs[0][0], None, inputs[0][1])


WINDOWS = [
    getattr(layers, f"{kind}{rank}D")
    for kind in ("MaxPooling", "AveragePooling", "ZeroPadding", "Cropping", "UpSampling")
    for rank in (1, 2, 3)
]
GLOBAL_POOLS = [
    getattr(layers, f"Global{kind}Pooling{rank}D")
    for kind in ("Max", "Average")
    for rank in (1, 2, 3)
]
SHAPE_RULES: dict[type, Rule] = {
    layers.Add: merge,
    layers.Subtract: merge,
    layers.Multiply: merge,
    layers.Average: merge,
    layers.Maximum: merge,
    layers.Minimum: merge,
    layers.Concatenate: concatenate,
    layers.Flatten: flatten,
    layers.Reshape: reshape,
    layers.Permute: permute,
    layers.RepeatVector: repeat,
    **dict.fromkeys(WINDOWS, window),
    **dict.fromkeys(GLOBAL_POOLS, global_pool),
}
