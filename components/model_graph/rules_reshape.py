"""Rules of what lays axes together and sets them apart."""

import math
from collections.abc import Sequence

import numpy as np

from slimderm.components.model_graph.calls import Call
from slimderm.components.model_graph.channel_labels import (
    Axes,
    Coupling,
    Labels,
    channel_axis,
    only,
    placed,
    unknown,
)

Sizes = Sequence[int | None]


def flatten(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Lay every axis but the batch behind each other; channels come first or last."""
    axes, shape = inputs[0], call.inputs[0].shape
    if call.operation.data_format == "channels_first" and len(shape) > 1:
        axes, shape = (axes[0], *axes[2:], axes[1]), (shape[0], *shape[2:], shape[1])
    return (None, _laid(coupling, call, axes[1:], shape[1:]))


def _laid(coupling: Coupling, call: Call, axes: Axes, shape: Sizes) -> Labels | None:
    """Labels of several axes laid into one."""
    labelled = [index for index, labels in enumerate(axes) if labels is not None]
    if not labelled:
        return None
    if None in shape:
        coupling.barrier(call.path, "lays axes together that it cannot follow", *axes)
        return None
    index = coupling.choices.get(call.path, labelled[0])
    index = index if index in labelled else labelled[0]
    labels = axes[index]
    assert labels is not None
    others = [other for other in labelled if other != index]
    if others:  # what is left of two axes at once is no matter of one label for each place
        coupling.laid[call.path] = ((*others, index), labels)
        reason = "lays axes together, of which one can lose channels"
        coupling.barrier(call.path, reason, *(axes[other] for other in others))
    view = labels.reshape([-1 if axis == index else 1 for axis in range(len(shape))])
    return np.broadcast_to(view, [size or 0 for size in shape]).ravel()


def reshape(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Follow channels through axes that are kept, laid together, or set apart by ones."""
    before, after = call.inputs[0].shape, call.outputs[0].shape
    result = reshaped(coupling, call, inputs[0], before, after)
    for index, labels in enumerate(result[1:]):
        if call.operation.target_shape[index] != -1:
            coupling.size(call.path, "target_shape", labels, index)
    return result


def reshaped_with_batch(coupling: Coupling, call: Call, axes: Axes) -> Axes:
    """Carry labels where the batch is laid together with axes next to it, or those are set apart.

    The rest of both shapes is as many values: that is followed.
    """
    before, after = call.inputs[0].shape, call.outputs[0].shape
    if axes[0] is not None:  # a weight, which has no batch
        return reshaped(coupling, call, (None, *axes), (1, *before), (1, *after))[1:]
    first = next((i for i, labels in enumerate(axes) if labels is not None), len(before))
    for old in range(1, first + 1):
        for new in range(1, len(after) + 1):
            rest, found = before[old:], after[new:]
            if None not in (*rest, *found) and np.prod(rest) == np.prod(found):
                short = (None, *axes[old:])
                made = reshaped(coupling, call, short, (None, *rest), (None, *found))
                return (*[None] * new, *made[1:])
    return unknown(coupling, call, [axes], "lays the batch together with channels")


def reshaped(coupling: Coupling, call: Call, axes: Axes, before: Sizes, after: Sizes) -> Axes:
    """Carry labels from one shape of so many values to another."""
    result: list[Labels | None] = [None] * len(after)
    if all(labels is None for labels in axes):
        return tuple(result)
    if None in before[1:] or None in after[1:]:
        return _behind_unknown(coupling, call, axes, before, after)
    for old, new in _segments(before, after):
        kept = [index for index in old if before[index] != 1]
        wide = [index for index in new if after[index] != 1]
        ones = [axes[index] for index in old if index not in kept]
        if not kept and new:
            result[new[0]] = next((labels for labels in ones if labels is not None), None)
            continue
        coupling.pin(*ones)
        if [before[index] for index in kept] == [after[index] for index in wide]:
            for index, source in zip(wide, kept, strict=True):
                result[index] = axes[source]
            continue
        flat = _laid(coupling, call, tuple(axes[i] for i in kept), [before[i] for i in kept])
        if flat is not None:
            place, labels = _set_apart(coupling, call, flat, {i: after[i] or 0 for i in wide})
            result[place] = labels
    return tuple(result)


def _behind_unknown(
    coupling: Coupling, call: Call, axes: Axes, before: Sizes, after: Sizes
) -> Axes:
    """Carry labels behind sizes that are not known, where what is there is as many values."""
    old, new = _behind_last_unknown(before), _behind_last_unknown(after)
    rest, found = before[old:], after[new:]
    as_many = math.prod(size or 0 for size in rest) == math.prod(size or 0 for size in found)
    if any(labels is not None for labels in axes[:old]) or not as_many:
        coupling.barrier(call.path, "reshapes sizes that are not known", *axes)
        return (None,) * len(after)
    short = reshaped(coupling, call, (None, *axes[old:]), (None, *rest), (None, *found))
    return (*[None] * new, *short[1:])


def _behind_last_unknown(sizes: Sizes) -> int:
    return max(axis for axis, size in enumerate(sizes) if axis == 0 or size is None) + 1


def _set_apart(
    coupling: Coupling, call: Call, flat: Labels, sizes: dict[int, int]
) -> tuple[int, Labels]:
    """Put labels on one of several axes: what lies at one place of it goes together.

    It is the last axis, or the one that `trace` has found to be better.
    """
    axes = list(sizes)
    place = coupling.choices.get(call.path, axes[-1])
    grid = flat.reshape(list(sizes.values()))
    rows = np.moveaxis(grid, axes.index(place), 0).reshape(sizes[place], -1)  # (place, others)
    if len(axes) > 1:
        coupling.parted[call.path] = (tuple(axes), flat)
    for column in rows.T[1:]:
        coupling.unite(rows[:, 0], column)
    return place, rows[:, 0]


def _segments(before: Sizes, after: Sizes) -> list[tuple[list[int], list[int]]]:
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


def depth_to_space(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Make a block of places of every so many channels; those of one block go together."""
    axis = channel_axis(call.operation, len(inputs[0]))
    labels = only(coupling, call, inputs[0], axis)
    if labels is None:
        return inputs[0]
    blocks = labels.reshape(call.operation.block_size**2, -1)  # (places of a block, channels)
    for row in blocks[1:]:
        coupling.unite(blocks[0], row)
    return placed(inputs[0], axis, blocks[0])


def space_to_depth(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Lay the channels of a block of places behind each other."""
    return _tiled(coupling, call, inputs, call.operation.block_size**2)


def extract_patches(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Lay the channels of a patch's places behind each other."""
    size = call.operation.size
    if len(inputs[0]) != len(size) + 2:
        return unknown(coupling, call, inputs, "patches of one image")
    return _tiled(coupling, call, inputs, int(np.prod(size)))


def _tiled(coupling: Coupling, call: Call, inputs: Sequence[Axes], times: int) -> Axes:
    axis = channel_axis(call.operation, len(inputs[0]))
    labels = only(coupling, call, inputs[0], axis)
    return placed(inputs[0], axis, None if labels is None else np.tile(labels, times))
