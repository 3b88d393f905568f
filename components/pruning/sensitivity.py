"""How much a model loses when one layer alone is pruned."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import layers_by_path
from slimderm.components.model_graph.copies import copied
from slimderm.components.model_graph.graph import Graph, Keep, kept
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.criteria.base import ScoringInputs
from slimderm.components.pruning.criteria.of_function import ScoreFilters
from slimderm.components.pruning.importance import importance
from slimderm.components.pruning.method import Limits, check_ratio
from slimderm.components.pruning.reading import reading_axes
from slimderm.components.pruning.selection import Planner

RATIOS = (0.25, 0.5, 0.75)
Evaluate = Callable[[Any], float]


@dataclass(frozen=True)
class Sensitivity:
    """What a model is worth when one group of layers is pruned; `str` gives it as a table.

    Attributes
    ----------
    unpruned : float
        Of the whole model.
    values : dict
        First layer of a group, to ratio, to what the model is worth then.
    layers : dict
        First layer of a group, to all its layers.
    """

    unpruned: float
    values: dict[str, dict[float, float]]
    layers: dict[str, tuple[str, ...]]

    def __str__(self) -> str:
        width = max([len(name) for name in (*self.values, "unpruned")])
        ratios = next(iter(self.values.values()), {})
        lines = [" " * width + "".join(f"{ratio:>9g}" for ratio in ratios)]
        for name, by_ratio in self.values.items():
            lines.append(
                f"{name:{width}}" + "".join(f"{value:9.4f}" for value in by_ratio.values())
            )
        return "\n".join([*lines, f"{'unpruned':{width}}{self.unpruned:9.4f}"])


def sensitivity(
    model: keras.Model,
    evaluate: Evaluate,
    *,
    ratios: Sequence[float] = RATIOS,
    criterion: str | ScoreFilters = "l1",
    aggregate: str = "mean",
    limits: Limits | None = None,
    data: Iterable[tuple[Any, Any]] | None = None,
    loss: Any = "categorical_crossentropy",
    seed: int = 0,
    progress: Callable[[int, int], object] | None = None,
) -> Sensitivity:
    """Prune one group of layers at a time, by several ratios, and evaluate the model each time.

    Nothing is trained. It costs one evaluation for each group that can shrink and each ratio, and
    one of the whole model: 25 groups of MobileNetV2 and three ratios are 76 evaluations. So let
    `evaluate` look at a few hundred images. The channels are set to zero where they are read, in
    one copy of the model, which is built and compiled once; outputs are those of the model without
    the channels, to rounding. Time and memory do not shrink in this copy.

    Parameters
    ----------
    model : keras.Model
        As for `slimderm.components.pruning.pruner.prune`; it is not changed.
    evaluate : callable
        Takes a model, returns a number, such as its accuracy on validation images; larger is
        better. It must leave the weights alone.
    ratios : sequence of float
        In (0, 1).
    criterion, aggregate, limits, data, loss, seed
        Which channels go, as for `slimderm.components.pruning.pruner.prune`.
    progress : callable, optional
        Called with the evaluations that are done and all there are, after each.

    Returns
    -------
    Sensitivity

    Raises
    ------
    ParameterError
        As `slimderm.components.pruning.pruner.prune`; for no ratio; and where `evaluate` returns no
        number.

    References
    ----------
    Li et al. 2017, "Pruning filters for efficient ConvNets", arXiv 1608.08710, section 3.2.
    """
    if not ratios:
        raise ParameterError("ratios: received none, expected at least one in (0, 1)")
    for ratio in ratios:
        check_ratio(ratio, name="ratios")
    graph = trace(model)
    evidence = ScoringInputs(graph, data, loss, seed)
    scores = importance(evidence, criterion, aggregate=aggregate)
    planner = Planner(graph, scores, limits=limits)
    plans = [plan for plan in _plans(planner, ratios) if not plan[2].all()]
    copy = copied(graph.model)
    unpruned = _number(evaluate(copy))
    values: dict[str, dict[float, float]] = {}
    for done, (name, ratio, keep) in enumerate(plans, start=1):
        if progress is not None:
            progress(done, len(plans) + 1)
        _silence(graph, keep, copy)
        values.setdefault(name, dict.fromkeys(ratios, unpruned))[ratio] = _number(evaluate(copy))
    if progress is not None:
        progress(len(plans) + 1, len(plans) + 1)
    layers = {group.name: group.layers for group in graph.groups if group.name in values}
    return Sensitivity(unpruned, values, layers)


def _plans(planner: Planner, ratios: Sequence[float]) -> Iterator[tuple[str, float, Keep]]:
    """Yield for each group and ratio what stays when the group alone is pruned."""
    whole = {ratio: planner.plan(ratio) for ratio in ratios}
    for group in planner.graph.groups:
        for ratio in ratios:
            keep = np.ones(planner.graph.num_coupled, bool)
            keep[group.coupled] = whole[ratio][group.coupled]
            yield group.name, ratio, keep


def _silence(graph: Graph, keep: Keep, copy: keras.Model) -> None:
    """Give a copy the model's weights, zero where they read channels that are not kept."""
    layers = layers_by_path(copy)
    for path, layer in layers_by_path(graph.model).items():
        for variable, target in zip(layer.weights, layers[path].weights, strict=True):
            axes = reading_axes(layer, variable)
            slots = [slot for slot in graph.slots_of.get(id(variable), ()) if slot.axis in axes]
            if not slots:
                continue
            value = np.array(keras.ops.convert_to_numpy(variable))
            for slot in slots:
                np.moveaxis(value, slot.axis, 0)[~kept(keep, slot.labels)] = 0
            target.assign(value)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise ParameterError(
            f"evaluate: received {type(value).__name__} from it, expected a number"
        ) from error
