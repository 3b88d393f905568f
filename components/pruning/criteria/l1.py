"""Sum of absolute weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slimderm.components.pruning.criteria.base import ScoringInputs, filter_sums

if TYPE_CHECKING:
    from slimderm.components.pruning.criteria.base import Values


def l1(evidence: ScoringInputs) -> Values:
    """Sum the absolute values of a filter's weights (Li et al. 2017, arXiv 1608.08710)."""
    for producer in evidence.graph.producers.values():
        yield producer.labels, filter_sums(producer, np.abs)
