"""Filter pruning via geometric median."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slimderm.components.pruning.criteria.base import ScoringInputs, filter_matrix

if TYPE_CHECKING:
    from slimderm.components.pruning.criteria.base import Values


def fpgm(evidence: ScoringInputs) -> Values:
    """Sum a filter's distances to the others of its layer (He et al. 2019, arXiv 1811.00250).

    A filter near the geometric median scores least: the others can replace it.
    """
    for producer in evidence.graph.producers.values():
        filters = filter_matrix(producer)  # (F, D)
        inner = filters @ filters.T
        squares = np.diag(inner)
        distances = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * inner, 0))
        yield producer.labels, distances.sum(1, dtype=np.float64)
