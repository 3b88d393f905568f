"""Rules of operations that take a part of an axis, cut it, turn it round or repeat it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from slimderm.components.model_graph.calls import Call
from slimderm.components.model_graph.channel_labels import Axes, Coupling, Labels, Place, unknown


def take_items(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Take a part of some axes: channels that lie beside each other, or one, which stays.

    Where a part starts and ends is an argument of the call, and counts the channels before.
    """
    axes, given = inputs[0], call.arguments.args
    key = given[1] if len(given) > 1 else call.arguments.kwargs["key"]
    several = isinstance(key, tuple | list)
    parts = list(enumerate(key)) if several else [(0, key)]
    if not all(part is Ellipsis or isinstance(part, int | slice | None) for _, part in parts):
        return unknown(coupling, call, inputs, "takes items by a tensor")
    found: list[Labels | None] = []
    left = iter(axes)
    for index, part in _spread(parts, len(axes)):
        if part is None:
            found.append(None)
            continue
        labels = next(left)
        if labels is not None and part != slice(None):
            place: Place = ("args", 1, index) if several else ("args", 1)
            labels = _part(coupling, call, labels, part, place if len(given) > 1 else None)
        if not isinstance(part, int):
            found.append(labels)
    return tuple(found)


def take(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Take places of one axis, each by an index; a barrier for channels there."""
    given = [*call.arguments.args, *call.arguments.kwargs.values()]
    if call.operation.axis is None or given[0] is not call.inputs[0]:
        return unknown(coupling, call, inputs, "takes items of all axes, or of a constant")
    axes = inputs[0]
    axis = call.operation.axis % len(axes)
    indices = [labels for each in inputs[1:] for labels in each]
    coupling.barrier(call.path, "takes some of the channels", axes[axis], *indices)
    return (*axes[:axis], *[None] * len(np.shape(given[1])), *axes[axis + 1 :])


def _spread(parts: list[tuple[int, Any]], rank: int) -> list[tuple[int, Any]]:
    """Put whole axes where an ellipsis stands, or behind the last part; -1 is their place."""
    missing = rank - sum(part is not None and part is not Ellipsis for _, part in parts)
    place = next((i for i, (_, part) in enumerate(parts) if part is Ellipsis), len(parts))
    whole = [(-1, slice(None))] * missing
    return [*parts[:place], *whole, *parts[place + 1 :]]


def _part(
    coupling: Coupling,
    call: Call,
    labels: Labels,
    part: int | slice,
    place: Place | None,
) -> Labels | None:
    """Take some channels of an axis, and note where the call says which; None where they stay."""
    if part == slice(None, None, -1):
        return labels[::-1]
    step = 1 if isinstance(part, int) else part.step
    if place is None or not call.alone or step not in (None, 1):
        coupling.barrier(call.path, "takes some of the channels", labels)
        return None
    if isinstance(part, int):
        first = part % len(labels)
        coupling.pin(labels[first : first + 1])
        coupling.argument(call.path, place, labels[:first])
        return None
    start, stop, _ = part.indices(len(labels))
    coupling.argument(call.path, (*place, "config", "start"), labels[:start])
    coupling.argument(call.path, (*place, "config", "stop"), labels[:stop])
    return labels[start:stop]


def slice_part(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Take so many places of each axis, from a place on that the call says."""
    axes, given = inputs[0], call.arguments.args
    starts = given[1] if len(given) > 1 else None
    if not isinstance(starts, tuple | list) or not all(isinstance(at, int) for at in starts):
        return unknown(coupling, call, inputs, "starts at a place that is not known")
    sizes = call.operation.shape
    found: list[Labels | None] = []
    for index, (labels, start, size) in enumerate(zip(axes, starts, sizes, strict=True)):
        if labels is None or not call.alone:
            coupling.barrier(call.path, "takes some of the channels", labels)
            found.append(None)
            continue
        taken = labels[start : len(labels) if size == -1 else start + size]
        coupling.argument(call.path, ("args", 1, index), labels[:start])
        if size != -1:
            coupling.size(call.path, "shape", taken, index)
        found.append(taken)
    return tuple(found)


def split(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> list[Axes]:
    """Cut an axis into parts: equal ones lose the same channels, others any."""
    axes, cuts = inputs[0], call.operation.indices_or_sections
    axis = call.operation.axis % len(axes)
    labels = axes[axis]
    if labels is None:
        return [axes] * len(call.outputs)
    if isinstance(cuts, int):
        parts = np.split(labels, cuts)
        for part in parts[1:]:
            coupling.unite(parts[0], part)
    else:
        parts = np.split(labels, cuts)
        for index, cut in enumerate(cuts):
            coupling.size(call.path, "indices_or_sections", labels[:cut], index)
    return [(*axes[:axis], part, *axes[axis + 1 :]) for part in parts]


def flip(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Turn axes round."""
    axes = inputs[0]
    along = places_of(call.operation.axis, len(axes))
    return tuple(
        labels[::-1] if index in along and labels is not None else labels
        for index, labels in enumerate(axes)
    )


def repeat(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Repeat each place of an axis."""
    axes, times, axis = inputs[0], call.operation.repeats, call.operation.axis
    if axis is None or not isinstance(times, int):
        return unknown(coupling, call, inputs, "repeats places by numbers of their own")
    return tuple(
        np.repeat(labels, times) if index == axis % len(axes) and labels is not None else labels
        for index, labels in enumerate(axes)
    )


def tile(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Lay an axis behind itself, so many times."""
    axes, times = inputs[0], call.operation.repeats
    times = [times] if isinstance(times, int) else list(times)
    if len(times) > len(axes):
        return unknown(coupling, call, inputs, "more repetitions than axes")
    times = [1] * (len(axes) - len(times)) + times
    return tuple(
        None if labels is None else np.tile(labels, number)
        for labels, number in zip(axes, times, strict=True)
    )


def places_of(axis: Any, rank: int) -> list[int]:
    """Return the axes that an operation's ``axis`` means; all where it is None."""
    given = range(rank) if axis is None else [axis] if isinstance(axis, int) else axis
    return [index % rank for index in given]
