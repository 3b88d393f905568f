"""The score of coupled channels: one number each, the larger the better to keep.

A criterion gives each layer a value for each of its channels. Channels that only go together get
the sum, the mean or the largest of their values.
"""

import numpy as np

from slimderm.components.common.checks import check_name
from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.channel_labels import FIXED
from slimderm.components.pruning.criteria.base import Floats, ScoringInputs
from slimderm.components.pruning.criteria.of_function import ScoreFilters, name
from slimderm.components.pruning.criteria.table import CRITERIA, get
from slimderm.components.pruning.names import AGGREGATES


def importance(
    evidence: ScoringInputs, criterion: str | ScoreFilters, *, aggregate: str = "mean"
) -> Floats:
    """Score all coupled channels.

    Parameters
    ----------
    evidence : ScoringInputs
        The graph, and data for criteria that need it.
    criterion : str or callable
        A key of `slimderm.components.pruning.criteria.table.CRITERIA`, or a function as
        `slimderm.components.pruning.criteria.of_function.of_function` takes it.
    aggregate : str
        ``mean``, ``sum`` or ``max`` over channels that go together.

    Returns
    -------
    float64 array of shape (graph.num_coupled,)

    Raises
    ------
    ParameterError
        For an unknown name, missing data, weights that are not finite, or a function that returns
        anything but one number for each channel.
    """
    check_name("aggregate", aggregate, AGGREGATES)
    entry = get(criterion)
    said = name(criterion) if callable(criterion) else criterion
    if entry.needs_data and evidence.batches is None:
        dataless = sorted(key for key, other in CRITERIA.items() if not other.needs_data)
        raise ParameterError(
            f"data: received none, expected batches of inputs and targets for criterion "
            f"{criterion} (without data: {', '.join(dataless)})"
        )
    found = list(entry.score(evidence))
    labels = np.concatenate([np.empty(0, np.int64), *(labels for labels, _ in found)])
    values = np.concatenate([np.empty(0), *(values for _, values in found)])
    values, labels = values[labels != FIXED], labels[labels != FIXED]
    if not np.isfinite(values).all():
        raise ParameterError(
            f"model: received one whose {said} importance is not finite, expected finite "
            "weights, activations and gradients"
        )
    number = evidence.graph.num_coupled
    if aggregate == "max":
        largest = np.full(number, -np.inf)
        np.maximum.at(largest, labels, values)
        return np.where(np.isfinite(largest), largest, 0.0)
    sums: Floats = np.bincount(labels, values, minlength=number).astype(np.float64)
    if aggregate == "sum":
        return sums
    return sums / np.maximum(np.bincount(labels, minlength=number), 1)
