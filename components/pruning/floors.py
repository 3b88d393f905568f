"""How many channels each layer must be left."""

import math
from collections.abc import Mapping
from fractions import Fraction

from slimderm.components.model_graph.graph import Graph
from slimderm.components.pruning.method import Limits, left_by, matching


def floors(graph: Graph, limits: Limits, original: Mapping[str, int]) -> dict[str, int]:
    """Count the channels that each layer must be left.

    Parameters
    ----------
    graph, limits : Graph, Limits
        The model's graph, and its floors, largest ratio and multiple.
    original : mapping
        Group to the coupled channels it once had: the largest ratio counts from these.

    Returns
    -------
    dict of str to int
        Layer to its floor, rounded up to the multiple; 1 where nothing is said.

    Raises
    ------
    ParameterError
        For a name in the limits that no layer with channels has.
    """
    found = dict.fromkeys(graph.producers, 1)
    least = {
        path: _rounded(floor, limits) for path, floor in _least(graph, limits, original).items()
    }
    for pattern, floor in limits.floors.items():
        for path in matching(graph.producers, pattern, "layer with channels of its own"):
            found[path] = _rounded(floor, limits)
    return {path: max(floor, least.get(path, 1)) for path, floor in found.items()}


def _rounded(floor: int, limits: Limits) -> int:
    return -(-floor // limits.multiple) * limits.multiple


def _least(graph: Graph, limits: Limits, original: Mapping[str, int]) -> dict[str, int]:
    """Count what the largest ratio leaves each layer."""
    if limits.max_ratio is None:
        return {}
    left = left_by(limits.max_ratio)
    return {
        path: math.ceil(
            left
            * len(graph.producers[path].labels)
            * Fraction(original[group.name], len(group.coupled))
        )
        for group in graph.groups
        for path in group.layers
    }
