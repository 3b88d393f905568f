"""Turn united labels into numbered sets of coupled channels, and those into groups of layers."""

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from slimderm.components.model_graph.calls import last_operations
from slimderm.components.model_graph.channel_labels import FIXED, Coupling, Labels, Producer
from slimderm.components.model_graph.graph import Barrier, Graph, Group, Keep
from slimderm.components.model_graph.multiplications import multiplications


def freedom(coupling: Coupling) -> tuple[int, Labels, Keep]:
    """Give each set of coupled channels a number, and tell which may go.

    Returns
    -------
    number : int
        Of sets.
    coupled_of : int64 array
        The set of each label; `FIXED` is the last.
    free : bool array of shape (number,)
        Whether each set may go.
    """
    number, coupled_of = _components(coupling.num_labels, coupling.united)
    coupled_of = np.append(coupled_of, FIXED)
    free = np.ones(number + 1, bool)
    for first, second in coupling.united:  # a channel that goes with a fixed place stays
        for labels, other in ((first, second), (second, first)):
            free[coupled_of[labels[other == FIXED]]] = False
    for labels in coupling.pinned:
        free[coupled_of[labels]] = False
    return number, coupled_of, free[:-1]


def grouped(coupling: Coupling, model: Any) -> Graph:
    """Give each set of coupled channels a number, and group the layers that share some."""
    number, coupled_of, free = freedom(coupling)

    def settled(entry: Any) -> Any:
        return replace(entry, labels=coupled_of[entry.labels])

    producers = {path: settled(entry) for path, entry in coupling.producers.items()}
    # The last layer keeps its classes in any case: its softmax is no barrier worth a report.
    last = {operation.name for operation in last_operations(model)} - coupling.strangers
    barriers: dict[tuple[str, str], list[Labels]] = {}
    for path, reason, labels in coupling.barriers:
        if path not in last:
            barriers.setdefault((path, reason), []).append(coupled_of[labels])
    return Graph(
        model=model,
        free=free,
        slots=tuple(settled(slot) for slot in coupling.slots.values()),
        sizes=tuple(settled(size) for size in coupling.sizes.values() if size.labels is not None),
        values=tuple(
            settled(entry) for entry in coupling.values.values() if entry.labels is not None
        ),
        arguments=tuple(
            (path, place, coupled_of[labels]) for path, place, labels in coupling.arguments
        ),
        producers=producers,
        multiplications=tuple(
            replace(found, along=tuple(coupled_of[labels] for labels in found.along))
            for found in multiplications(coupling.efforts, model)
        ),
        barriers=tuple(
            Barrier(path, reason, len(set(np.concatenate(labels).tolist()) - {FIXED}))
            for (path, reason), labels in barriers.items()
        ),
        groups=_group(producers, number, free),
        moving=coupling.moving,
        moved={path: (axis, coupled_of[own]) for path, (axis, own) in coupling.moved.items()},
    )


def _components(number: int, pairs: list[tuple[Labels, Labels]]) -> tuple[int, Labels]:
    if not number:
        return 0, np.empty(0, np.int64)
    first = np.concatenate([np.empty(0, np.int64), *(pair[0] for pair in pairs)])
    second = np.concatenate([np.empty(0, np.int64), *(pair[1] for pair in pairs)])
    real = (first != FIXED) & (second != FIXED)
    first, second = first[real], second[real]
    edges = coo_matrix((np.ones(len(first), np.int8), (first, second)), (number, number))
    count, labels = connected_components(edges, directed=False)
    return int(count), labels.astype(np.int64)


def _group(producers: dict[str, Producer], number: int, free: Keep) -> tuple[Group, ...]:
    """Put producers together that share coupled channels."""
    paths = list(producers)
    pairs = [
        (np.full(len(producers[path].labels), number + index), producers[path].labels)
        for index, path in enumerate(paths)
    ]
    _, component = _components(number + len(paths), pairs)
    members: dict[int, list[str]] = {}
    for index, path in enumerate(paths):
        members.setdefault(int(component[number + index]), []).append(path)
    groups = []
    for layers in members.values():
        labels = np.concatenate([producers[path].labels for path in layers])
        coupled = labels[np.sort(np.unique(labels, return_index=True)[1])]
        groups.append(Group(tuple(layers), coupled, free[coupled]))
    return tuple(groups)
