"""Mean activation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slimderm.components.pruning.criteria.base import ScoringInputs

if TYPE_CHECKING:
    from slimderm.components.pruning.criteria.base import Values


def activation(evidence: ScoringInputs) -> Values:
    """Take the mean absolute value of a channel where the next layers read it."""
    from slimderm.components.pruning.evidence import read_activations

    for labels, mean, _ in read_activations(evidence.graph, evidence.batches):
        yield labels, mean
