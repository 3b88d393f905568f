"""Scale of batch normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slimderm.components.pruning.criteria.base import ScoringInputs, filter_sums

if TYPE_CHECKING:
    from slimderm.components.pruning.criteria.base import Values


def bn_scale(evidence: ScoringInputs) -> Values:
    """Take the absolute scale of a channel's batch normalisation (Liu et al. 2017).

    Network slimming, arXiv 1708.06519. Channels without such a scale are scored by their filters'
    absolute sums, brought to the mean of the scales in their group.
    """
    from slimderm.components.pruning.surgery import read

    graph = evidence.graph
    scale = np.full(graph.num_coupled + 1, np.nan)  # the last is for `FIXED`
    for slot in graph.slots:
        if slot.variable is getattr(slot.layer, "gamma", None):
            values = np.abs(np.asarray(read(slot.variable), np.float64))
            scale[slot.labels] = values
            yield slot.labels, values
    seen = ~np.isnan(scale)
    for group in graph.groups:
        scales = scale[group.coupled][seen[group.coupled]]
        if len(scales) == len(group.coupled):
            continue
        norms = {path: filter_sums(graph.producers[path], np.abs) for path in group.layers}
        mean = np.concatenate(list(norms.values())).mean()
        factor = scales.mean() / mean if len(scales) and mean > 0 else 1.0
        for path, norm in norms.items():
            labels = graph.producers[path].labels
            yield labels[~seen[labels]], norm[~seen[labels]] * factor
