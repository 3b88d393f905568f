"""Reconstruction of what the next layer makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slimderm.components.pruning.criteria.base import Floats, ScoringInputs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slimderm.components.model_graph.channel_labels import Labels, Slot
    from slimderm.components.pruning.criteria.base import Values

PLACES = 10  # of each image, in the output of each layer; as in the paper


def thinet(evidence: ScoringInputs) -> Values:
    """Take channels away in the order that changes the next layers' outputs least (ThiNet).

    Luo et al. 2017, arXiv 1707.06342, eq. 6 and algorithm 1: greedily, the channel goes next that
    leaves the least squared sum of what all removed channels add to the outputs. A channel's value
    is that error once it is gone, the largest so far, as a share of the squared outputs without
    bias. Outputs are those of all dense layers and plain convolutions that read a group's
    channels, at random places of each image. A layer that computes each channel by itself, or
    that is of another kind, counts with the channels' own squares. Needs no targets. The scaling of
    the channels that stay (eq. 7) is left to training.
    """
    graph = evidence.graph
    group_of, place = np.zeros((2, graph.num_coupled), np.int64)
    for number, group in enumerate(graph.groups):
        group_of[group.coupled] = number
        place[group.coupled] = np.arange(len(group.coupled))
    totals = [np.zeros((len(group.coupled),) * 2) for group in graph.groups]
    for sets, products in _products(evidence):
        for number in np.unique(group_of[sets]):
            own = np.flatnonzero(group_of[sets] == number)
            places = place[sets[own]]
            totals[number][np.ix_(places, places)] += products[np.ix_(own, own)]
    for group, total in zip(graph.groups, totals, strict=True):
        order, errors = greedy(total)
        yield group.coupled[order], errors


def _products(evidence: ScoringInputs) -> Iterator[tuple[Labels, Floats]]:
    """Sum the products of contributions to each layer, as shares of its squared outputs."""
    from slimderm.components.pruning.contributions import (
        products_of_channels,
        products_of_contributions,
        sums_over_channels,
        windows,
    )
    from slimderm.components.pruning.evidence import listen
    from slimderm.components.pruning.surgery import read

    random = np.random.default_rng(evidence.seed)
    found: dict[int, tuple[Labels, Floats]] = {}

    def note(slot: Slot, values: Floats) -> None:
        if sums_over_channels(slot.layer):
            taken = windows(slot.layer, values, PLACES, random)
            sets, products = products_of_contributions(read(slot.variable), taken, slot.labels)
        else:
            sets, products = products_of_channels(values, slot.labels)
        before = found.get(id(slot))
        found[id(slot)] = (sets, products if before is None else before[1] + products)

    listen(evidence.graph, evidence.batches, note)
    for sets, products in found.values():
        size = products.sum()
        yield sets, products / size if size > 0 else products


def greedy(products: Floats) -> tuple[Labels, Floats]:
    """Order the places of a matrix by the least sum over all pairs of those taken so far.

    Parameters
    ----------
    products : float64 array of shape (C, C)
        Symmetric, positive semidefinite.

    Returns
    -------
    order : int64 array of shape (C,)
        First to last.
    errors : float64 array of shape (C,)
        The sum once each is taken, the largest so far, and a little more for each than before.
    """
    number = len(products)
    own, with_taken = np.diag(products), np.zeros(number)
    order, errors, error = np.empty(number, np.int64), np.empty(number), 0.0
    for place in range(number):
        added = own + 2 * with_taken
        added[order[:place]] = np.inf
        order[place] = np.argmin(added)
        error += added[order[place]]
        errors[place] = error
        with_taken += products[order[place]]
    largest = np.maximum.accumulate(errors)
    ranks = np.arange(number) * 1e-9 * (abs(largest[-1]) if number else 1)  # no two are equal
    return order, largest + ranks
