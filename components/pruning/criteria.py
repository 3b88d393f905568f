"""How much each bundle of channels is worth: one number, the larger the better to keep.

A criterion gives each layer a value for each of its channels; a bundle's importance is the sum,
mean or largest of the values of the channels in it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.graph import Graph
from slimderm.components.model_graph.labels import FIXED, Labels, Producer
from slimderm.components.pruning.method import AGGREGATES, NEED_DATA
from slimderm.components.pruning.surgery import read

Floats = npt.NDArray[np.float64]
Batches = Iterable[tuple[Any, Any]]  # inputs and one-hot targets
ROWS = 512  # of a kernel at a time: a copy of this size stays in the cache


@dataclass(frozen=True)
class Evidence:
    """What criteria look at: the model's graph, and data where they need it."""

    graph: Graph
    batches: Batches | None = None
    loss: Any = "categorical_crossentropy"
    seed: int = 0


Values = Iterator[tuple[Labels, Floats]]
Criterion = Callable[[Evidence], Values]


def l1(evidence: Evidence) -> Values:
    """Sum of the absolute values of a filter's weights (Li et al. 2017, arXiv 1608.08710)."""
    for producer in evidence.graph.producers.values():
        yield producer.labels, _sums(producer, np.abs)


def l2(evidence: Evidence) -> Values:
    """Euclidean norm of a filter's weights."""
    for producer in evidence.graph.producers.values():
        yield producer.labels, np.sqrt(_sums(producer, np.square))


def batch_norm_scale(evidence: Evidence) -> Values:
    """Absolute scale of a channel's batch normalisation (Liu et al. 2017, arXiv 1708.06519).

    Channels that no such scale sees are judged by `l1`, brought to the mean of those of their group
    that one sees.
    """
    graph = evidence.graph
    scale = np.full(graph.num_coupled + 1, np.nan)  # the last is for `FIXED`
    for slot in graph.slots:
        if slot.variable is getattr(slot.layer, "gamma", None):
            values = np.abs(np.asarray(read(slot.variable), np.float64))
            scale[slot.labels] = values
            yield slot.labels, values
    seen = ~np.isnan(scale)
    for group in graph.groups:
        scales = scale[group.bundles][seen[group.bundles]]
        if len(scales) == len(group.bundles):
            continue
        norms = {path: _sums(graph.producers[path], np.abs) for path in group.layers}
        mean = np.concatenate(list(norms.values())).mean()
        factor = scales.mean() / mean if len(scales) and mean > 0 else 1.0
        for path, norm in norms.items():
            labels = graph.producers[path].labels
            yield labels[~seen[labels]], norm[~seen[labels]] * factor


def geometric_median(evidence: Evidence) -> Values:
    """Sum of a filter's distances to the others of its layer (He et al. 2019, arXiv 1811.00250).

    Filters near the geometric median, for which others can stand in, are worth least.
    """
    for producer in evidence.graph.producers.values():
        filters = _matrix(producer)  # (F, D)
        inner = filters @ filters.T
        squares = np.diag(inner)
        distances = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * inner, 0))
        yield producer.labels, distances.sum(1, dtype=np.float64)


def lamp(evidence: Evidence) -> Values:
    """Squared norm over the sum of all that are at least as large (Lee et al. 2021, eq. 4).

    Layer-adaptive (arXiv 2010.07611), with a filter in a weight's place; made for one threshold
    over all layers.
    """
    for producer in evidence.graph.producers.values():
        squares = _sums(producer, np.square)
        order = np.argsort(squares, kind="stable")
        rest = np.cumsum(squares[order][::-1])[::-1]
        scores = np.empty_like(squares)
        scores[order] = squares[order] / np.maximum(rest, np.finfo(float).tiny)
        yield producer.labels, scores


def taylor(evidence: Evidence) -> Values:
    """Squared sum of weight times gradient, over batches (Molchanov et al. 2019, eq. 8).

    First order (arXiv 1906.10771): what the loss would change if the filter were gone.
    """
    from slimderm.components.pruning.evidence import filter_products

    yield from filter_products(evidence.graph, _batches(evidence, "taylor"), evidence.loss)


def activation(evidence: Evidence) -> Values:
    """Mean absolute value of a channel where the next layers read it."""
    from slimderm.components.pruning.evidence import read_activations

    for labels, mean, _ in read_activations(evidence.graph, _batches(evidence, "activation")):
        yield labels, mean


def apoz(evidence: Evidence) -> Values:
    """Share of values above zero where the next layers read a channel (Hu et al. 2016).

    One less the average percentage of zeros (arXiv 1607.03250).
    """
    from slimderm.components.pruning.evidence import read_activations

    for labels, _, active in read_activations(evidence.graph, _batches(evidence, "apoz")):
        yield labels, active


def random(evidence: Evidence) -> Values:
    """Chance, by the seed: the control."""
    bundles = np.arange(evidence.graph.num_coupled)
    yield bundles, np.random.default_rng(evidence.seed).random(len(bundles))


def uninformed(evidence: Evidence) -> Values:
    """Prefer the first channels, whatever is in them: the paper's choice looks at nothing."""
    for group in evidence.graph.groups:
        yield group.bundles, np.linspace(1, 0, len(group.bundles), endpoint=False)


CRITERIA: dict[str, Criterion] = {
    "l1": l1,
    "l2": l2,
    "bn_scale": batch_norm_scale,
    "fpgm": geometric_median,
    "lamp": lamp,
    "taylor": taylor,
    "activation": activation,
    "apoz": apoz,
    "random": random,
    "uninformed": uninformed,
}


def get(name: str) -> Criterion:
    """Look up a criterion by its name.

    Raises
    ------
    ParameterError
        When there is none of that name; the message lists those there are.
    """
    if name not in CRITERIA:
        raise ParameterError(f"criterion: received {name!r}, expected one of {', '.join(CRITERIA)}")
    return CRITERIA[name]


def importance(evidence: Evidence, criterion: str, *, aggregate: str = "mean") -> Floats:
    """Score every bundle.

    Parameters
    ----------
    evidence : Evidence
        The graph, and data for the criteria in `NEED_DATA`.
    criterion : str
        A key of `CRITERIA`.
    aggregate : str
        ``mean``, ``sum`` or ``max`` of the values of a bundle's channels.

    Returns
    -------
    float64 array of shape (graph.num_coupled,)

    Raises
    ------
    ParameterError
        For an unknown name, missing data, or weights that are not finite.
    """
    if aggregate not in AGGREGATES:
        raise ParameterError(
            f"aggregate: received {aggregate!r}, expected one of {', '.join(AGGREGATES)}"
        )
    found = list(get(criterion)(evidence))
    labels = np.concatenate([np.empty(0, np.int64), *(labels for labels, _ in found)])
    values = np.concatenate([np.empty(0), *(values for _, values in found)])
    values, labels = values[labels != FIXED], labels[labels != FIXED]
    if not np.isfinite(values).all():
        raise ParameterError(
            f"model: received one whose {criterion} importance is not finite, expected finite "
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


def _batches(evidence: Evidence, name: str) -> Batches:
    if evidence.batches is None:
        raise ParameterError(
            f"data: received none, expected batches of inputs and targets; criterion {name} looks "
            f"at what the model does with them (without data: {', '.join(sorted(_dataless()))})"
        )
    return evidence.batches


def _dataless() -> set[str]:
    return CRITERIA.keys() - NEED_DATA


def _matrix(producer: Producer) -> npt.NDArray[Any]:
    """Lay filters out as rows, (F, D)."""
    kernel = read(producer.variable)
    return np.moveaxis(kernel, producer.axis, 0).reshape(kernel.shape[producer.axis], -1)


def _sums(producer: Producer, of: Callable[[Any], Any]) -> Floats:
    """Sum a function of the weights over each filter, a few rows at a time."""
    kernel = read(producer.variable)
    if producer.axis != kernel.ndim - 1:
        kernel = np.moveaxis(kernel, producer.axis, -1)
    rows = kernel.reshape(-1, kernel.shape[-1])  # (D, F)
    total = np.zeros(rows.shape[1])
    for start in range(0, len(rows), ROWS):
        total += of(rows[start : start + ROWS]).sum(0)
    return total
