"""Groups of layers that are alike, so that their scores can be compared."""

from collections import Counter

import numpy as np

from slimderm.components.model_graph.channel_labels import FIXED
from slimderm.components.model_graph.graph import Graph, Group

Holder = tuple[str, str, int]  # kind of a layer, name of its weight, axis of the channels


def alike(graph: Graph) -> list[list[Group]]:
    """Put groups together whose channels are held by equal numbers of equal weights.

    So an attention's heads are compared with heads, a feed-forward width with such widths, and a
    bottleneck's channels with those of other bottlenecks, whatever their sizes (Fang et al. 2024,
    "Isomorphic pruning for vision models", arXiv 2407.04616, section 3.2). Kinds of layers, names
    of weights and axes are counted; in which order they are connected is not looked at.

    Returns
    -------
    list of list of Group
        Each group of the graph once.
    """
    group_of = np.full(graph.num_coupled + 1, FIXED)  # the last is for `FIXED`
    for number, group in enumerate(graph.groups):
        group_of[group.coupled] = number
    holders: list[Counter[Holder]] = [Counter() for _ in graph.groups]
    for slot in graph.slots:
        holder = (type(slot.layer).__name__, slot.variable.name, slot.axis)
        for number in np.unique(group_of[slot.labels]):
            if number != FIXED:
                holders[number][holder] += 1
    found: dict[frozenset[tuple[Holder, int]], list[Group]] = {}
    for group, held in zip(graph.groups, holders, strict=True):
        found.setdefault(frozenset(held.items()), []).append(group)
    return list(found.values())
