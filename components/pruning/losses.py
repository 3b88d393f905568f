"""What a group of layers can lose: in which order, and how much is left each time."""

from collections.abc import Mapping

import numpy as np

from slimderm.components.model_graph.calls import layers_by_path
from slimderm.components.model_graph.channel_labels import FIXED, Labels
from slimderm.components.model_graph.graph import Graph, Group, Keep
from slimderm.components.pruning.criteria.base import Floats


def losses(
    graph: Graph,
    group: Group,
    scores: Floats,
    free: Keep,
    *,
    floors: Mapping[str, int],
    multiple: int,
) -> tuple[Labels, Labels]:
    """Order the coupled channels that may go, and count what is left of the group after each loss.

    Sets of coupled channels are of one kind if they are in the same layers. A loss is so many of
    one kind that a multiple of that kind is left. A loss that would take a layer below its floor is
    left out.

    Parameters
    ----------
    graph, group : Graph, Group
        The model's graph, and one of its groups.
    scores : float64 array of shape (graph.num_coupled,)
        Importance; the least goes first.
    free : bool array of shape (graph.num_coupled,)
        What may go.
    floors : mapping
        Layer to the channels it must be left.
    multiple : int
        Of each kind, at least 1.

    Returns
    -------
    order : int64 array
        What goes, first to last.
    left : int64 array
        How much of the group is left before the first loss and after each.
    """
    removable = group.coupled[free[group.coupled]]
    # Of equals the later goes first, as in the uninformed choice.
    order = removable[::-1][np.argsort(scores[removable[::-1]], kind="stable")]
    shares, kinds = _kinds(graph, group)
    widths = shares.T @ np.bincount(kinds)
    least = np.minimum([floors[path] for path in group.layers], widths)
    kind_of = np.zeros(graph.num_coupled, np.int64)
    kind_of[group.coupled] = kinds
    if len(shares) == multiple == 1:
        order = order[: len(kinds) - int(np.ceil(least / shares[0]).max())]
        return order, len(kinds) - np.arange(len(order) + 1)
    steps = []
    for kind, total in enumerate(np.bincount(kinds)):
        places = np.flatnonzero(kind_of[order] == kind)
        ends = np.arange(total % multiple or multiple, len(places) + 1, multiple)
        parts = np.split(places, ends)[: len(ends)]
        steps += [(int(part[-1]), kind, part) for part in parts]
    taken, ended = [np.empty(0, np.int64)], set()
    for _, kind, part in sorted(steps, key=lambda step: step[0]):
        fewer = widths - shares[kind] * len(part)
        if kind in ended or (fewer < least).any():
            ended.add(kind)
            continue
        widths = fewer
        taken.append(order[part])
    return np.concatenate(taken), len(kinds) - np.cumsum([len(part) for part in taken])


def _kinds(graph: Graph, group: Group) -> tuple[Labels, Labels]:
    """Return how often each kind is in each layer, and the kind of every coupled set."""
    number = len(group.coupled)
    place = np.zeros(graph.num_coupled, np.int64)
    place[group.coupled] = np.arange(number)
    labels = (graph.producers[path].labels for path in group.layers)
    often = np.array([np.bincount(place[found], minlength=number) for found in labels]).T
    if (often == often[0]).all():
        return often[:1], np.zeros(number, np.int64)
    shares, kinds = np.unique(often, axis=0, return_inverse=True)
    return shares, kinds.ravel()


def touched_by_layer(graph: Graph) -> dict[str, Labels]:
    """Return the coupled channels that each layer makes or, if it makes none, has weights for."""
    found = {path: producer.labels for path, producer in graph.producers.items()}
    paths = {
        id(part): path
        for path, layer in layers_by_path(graph.model).items()
        for part in layer._flatten_layers()
    }
    for slot in graph.slots:
        path = paths[id(slot.layer)]
        if path not in graph.producers:
            labels = slot.labels[slot.labels != FIXED]
            found[path] = np.concatenate([found.get(path, labels[:0]), labels])
    return found
