"""Rules of the layers without weights that join, move and reshape axes."""

from collections.abc import Callable, Sequence

import numpy as np
from keras import layers

from slimderm.components.model_graph.calls import Call
from slimderm.components.model_graph.channel_labels import (
    FIXED,
    Axes,
    Coupling,
    Labels,
    channel_axis,
    only,
    placed,
)

Rule = Callable[[Coupling, Call, Sequence[Axes]], Axes]
Shape = Sequence[int | None]


def merge(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Unite the channels of what is added, multiplied or compared, place by place.

    Shapes are aligned at their ends. Where an axis of length 1 is spread over a longer one, its one
    channel stays.
    """
    shapes = [tensor.shape for tensor in call.inputs]
    rank = max(map(len, shapes))
    target = call.outputs[0].shape
    result: list[Labels | None] = [None] * rank
    for axis in range(rank):
        found: list[Labels | None] = []
        spread: list[Labels | None] = []
        for axes, shape in zip(inputs, shapes, strict=True):
            own = axis - (rank - len(shape))
            # A lower rank gets its new axes behind the batch, as Keras's merging layers have it.
            if own < 0 or (own == 0 and axis > 0):
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


def flatten(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Lay every axis but the batch behind each other; channels come first or last."""
    axes, shape = inputs[0], call.inputs[0].shape
    if call.operation.data_format == "channels_first" and len(shape) > 1:
        axes, shape = (axes[0], *axes[2:], axes[1]), (shape[0], *shape[2:], shape[1])
    return (None, _laid(coupling, call, axes[1:], shape[1:]))


def _laid(coupling: Coupling, call: Call, axes: Axes, shape: Shape) -> Labels | None:
    """Labels of several axes laid into one."""
    labelled = [index for index, labels in enumerate(axes) if labels is not None]
    if not labelled:
        return None
    if len(labelled) > 1 or None in shape:
        coupling.barrier(call.path, "lays axes together that it cannot follow", *axes)
        return None
    (index,) = labelled
    labels = axes[index]
    assert labels is not None
    view = labels.reshape([-1 if axis == index else 1 for axis in range(len(shape))])
    return np.broadcast_to(view, [size or 0 for size in shape]).ravel()


def reshape(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Follow channels through axes that are kept, laid together, or set apart by ones."""
    result = reshaped(coupling, call, inputs[0])
    for index, labels in enumerate(result[1:]):
        if call.operation.target_shape[index] != -1:
            coupling.size(call.path, "target_shape", labels, index)
    return result


def reshaped(coupling: Coupling, call: Call, axes: Axes) -> Axes:
    """Carry labels from one shape of so many values to another."""
    before, after = call.inputs[0].shape, call.outputs[0].shape
    result: list[Labels | None] = [None] * len(after)
    if all(labels is None for labels in axes):
        return tuple(result)
    if None in before[1:] or None in after[1:]:
        coupling.barrier(call.path, "reshapes sizes that are not known", *axes)
        return tuple(result)
    for old, new in _segments(before, after):
        kept = [index for index in old if before[index] != 1]
        wide = [index for index in new if after[index] != 1]
        place = wide[0] if wide else new[0] if new else None
        if len(wide) > 1 or place is None:
            if [before[index] for index in kept] == [after[index] for index in wide]:
                pairs = list(zip(wide, kept, strict=True))
            else:
                coupling.barrier(call.path, "sets channels apart", *(axes[index] for index in old))
                continue
            for index, source in pairs:
                result[index] = axes[source]
            continue
        ones = [axes[index] for index in old if index not in kept]
        if len(kept) > 0:
            coupling.pin(*ones)
            result[place] = _laid(
                coupling, call, tuple(axes[index] for index in kept), [before[i] for i in kept]
            )
        else:
            result[place] = next((labels for labels in ones if labels is not None), None)
    return tuple(result)


def _segments(before: Shape, after: Shape) -> list[tuple[list[int], list[int]]]:
    """Split two shapes of one size into the smallest runs of axes of equal size."""
    segments = []
    i = j = 1
    while i < len(before) or j < len(after):
        old, new = [], []
        left = right = 1
        while True:
            if i < len(before) and (left <= right or j >= len(after)):
                left *= before[i] or 1
                old.append(i)
                i += 1
            elif j < len(after):
                right *= after[j] or 1
                new.append(j)
                j += 1
            if left == right and old and new:
                break
            if i >= len(before) and j >= len(after):
                break
        segments.append((old, new))
    return segments


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
