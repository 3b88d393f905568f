"""First-order Taylor expansion of the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slimderm.components.pruning.criteria.base import ScoringInputs

if TYPE_CHECKING:
    from slimderm.components.pruning.criteria.base import Values


def taylor(evidence: ScoringInputs) -> Values:
    """Square the sum of weight times gradient, and sum over batches (Molchanov et al. 2019, eq. 8).

    arXiv 1906.10771: to first order, the change of the loss if the filter were gone.
    """
    from slimderm.components.pruning.gradients import filter_products

    yield from filter_products(evidence.graph, evidence.batches, evidence.loss)
