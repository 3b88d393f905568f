"""Euclidean norm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slimderm.components.pruning.criteria.base import ScoringInputs, filter_sums

if TYPE_CHECKING:
    from slimderm.components.pruning.criteria.base import Values


def l2(evidence: ScoringInputs) -> Values:
    """Take the Euclidean norm of a filter's weights."""
    for producer in evidence.graph.producers.values():
        yield producer.labels, np.sqrt(filter_sums(producer, np.square))
