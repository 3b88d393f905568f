"""A function of the user's as a criterion."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.criteria.base import ScoringInputs, filter_matrix

if TYPE_CHECKING:
    from slimderm.components.pruning.criteria.base import Criterion, Values

ScoreFilters = Callable[[Any, Any], Any]


def of_function(function: ScoreFilters) -> Criterion:
    """Make a criterion of a function that scores the filters of one layer.

    Parameters
    ----------
    function : callable
        Takes a layer and its filters as rows, shape (F, D), and returns F numbers, the larger the
        better to keep. It is called once for each weight that makes channels.

    Returns
    -------
    callable
        It raises ParameterError where the function returns anything but F numbers.
    """

    def score(evidence: ScoringInputs) -> Values:
        graph = evidence.graph
        for path, producer in graph.producers.items():
            layer = graph.slots_of[id(producer.variable)][0].layer
            filters = filter_matrix(producer)  # (F, D)
            scores = function(layer, filters)
            yield producer.labels, _checked(scores, len(filters), f"{name(function)} for {path}")

    return score


def name(function: ScoreFilters) -> str:
    """Return what messages call a function."""
    return str(getattr(function, "__name__", type(function).__name__))


def _checked(scores: Any, number: int, where: str) -> Any:
    expected = f"expected {number} numbers, one for each channel"
    try:
        found = np.asarray(scores, np.float64)
    except (TypeError, ValueError) as error:
        raise ParameterError(
            f"criterion: received {type(scores).__name__} from {where}, {expected}"
        ) from error
    if found.shape != (number,):
        raise ParameterError(
            f"criterion: received an array of shape {found.shape} from {where}, {expected}"
        )
    return found
