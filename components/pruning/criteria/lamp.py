"""Layer-adaptive magnitude."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slimderm.components.pruning.criteria.base import ScoringInputs, filter_sums

if TYPE_CHECKING:
    from slimderm.components.pruning.criteria.base import Values


def lamp(evidence: ScoringInputs) -> Values:
    """Divide a squared norm by the sum of all at least as large (Lee et al. 2021, eq. 4).

    arXiv 2010.07611, with filters in place of single weights. Made for one threshold over all
    layers.
    """
    for producer in evidence.graph.producers.values():
        squares = filter_sums(producer, np.square)
        order = np.argsort(squares, kind="stable")
        rest = np.cumsum(squares[order][::-1])[::-1]
        scores = np.empty_like(squares)
        scores[order] = squares[order] / np.maximum(rest, np.finfo(float).tiny)
        yield producer.labels, scores
