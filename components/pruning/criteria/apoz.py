"""Average percentage of zeros."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slimderm.components.pruning.criteria.base import ScoringInputs

if TYPE_CHECKING:
    from slimderm.components.pruning.criteria.base import Values


def apoz(evidence: ScoringInputs) -> Values:
    """Take the share of values above zero where the next layers read a channel (Hu et al. 2016).

    arXiv 1607.03250; one minus the average percentage of zeros, so that larger is better.
    """
    from slimderm.components.pruning.evidence import read_activations

    for labels, _, active in read_activations(evidence.graph, evidence.batches):
        yield labels, active
