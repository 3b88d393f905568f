"""Second-order expansion of the loss, with the diagonal of the empirical Fisher information."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slimderm.components.pruning.criteria.base import ScoringInputs

if TYPE_CHECKING:
    from slimderm.components.pruning.criteria.base import Values


def fisher(evidence: ScoringInputs) -> Values:
    """Halve the sum of squared weight times second derivative over a filter (optimal brain damage).

    LeCun, Denker and Solla 1990, eq. 5: to second order, what the loss gains if each weight of the
    filter were gone, in a minimum of the loss and with a diagonal Hessian. In place of the Hessian
    stands the empirical Fisher information, the mean over images of squared gradients, as in Theis
    et al. 2018, arXiv 1801.05787, eq. 5. Every image is a training step of its own, so it costs a
    batch's length of steps where ``taylor`` costs one.
    """
    from slimderm.components.pruning.gradients import filter_products, one_by_one, sum_of_squares

    images = one_by_one(evidence.batches)
    for labels, values in filter_products(evidence.graph, images, evidence.loss, sum_of_squares):
        yield labels, values / 2
