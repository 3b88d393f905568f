"""Which coupled channels and groups a pattern of layer names means."""

from collections.abc import Mapping, Sequence

import numpy as np

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.graph import Graph, Keep
from slimderm.components.pruning.losses import touched_by_layer
from slimderm.components.pruning.method import Ratio, check_ratio, matching

KIND = "layer that makes channels or holds weights for them"


def named(graph: Graph, patterns: Sequence[str]) -> Keep:
    """Mark the coupled channels of the layers that patterns name.

    Raises
    ------
    ParameterError
        For a pattern that fits no layer.
    """
    marked = np.zeros(graph.num_coupled, bool)
    touched = touched_by_layer(graph) if patterns else {}
    for pattern in patterns:
        for path in matching(touched, pattern, KIND):
            marked[touched[path]] = True
    return marked


def ratios_by_group(graph: Graph, ratios: Mapping[str, Ratio]) -> dict[str, Ratio]:
    """Give each group the ratio of the first pattern that fits one of its layers.

    Parameters
    ----------
    graph : Graph
        The model's.
    ratios : mapping of str to float
        Pattern of layer names, as in `Limits.keep`, to a ratio in (0, 1). The order counts.

    Returns
    -------
    dict of str to float
        Group to its ratio, 0 for a group that no pattern fits.

    Raises
    ------
    ParameterError
        For no pattern, a pattern that fits no layer, or a ratio outside (0, 1).
    """
    if not ratios:
        raise ParameterError(
            "ratio: received no pattern, expected at least one, such as {'*': 0.5}"
        )
    found: dict[str, Ratio] = {}
    for pattern, ratio in ratios.items():
        check_ratio(ratio, where=f" for {pattern!r}")
        marked = named(graph, [pattern])
        for group in graph.groups:
            if marked[group.coupled].any():
                found.setdefault(group.name, ratio)
    return {group.name: found.get(group.name, 0) for group in graph.groups}
