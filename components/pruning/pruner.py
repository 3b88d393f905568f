"""Give any functional Keras 3 model, get a smaller plain Keras model that computes what it should.

::

    pruned = prune(model, ratio=0.5, criterion="l1")
    print(pruned.report)
    pruned.model.save("small.keras")
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import check_model
from slimderm.components.model_graph.cost import Costs, change
from slimderm.components.model_graph.graph import Barrier, Graph, Keep, kept
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.budget import meet
from slimderm.components.pruning.criteria.base import ScoringInputs
from slimderm.components.pruning.criteria.of_function import ScoreFilters
from slimderm.components.pruning.criteria.table import get as get_criterion
from slimderm.components.pruning.importance import importance
from slimderm.components.pruning.method import Budget, Limits, Ratio, check_ratio
from slimderm.components.pruning.replay import Log, write_log
from slimderm.components.pruning.selection import Planner, why_nothing, widths
from slimderm.components.pruning.surgery import remove


@dataclass(frozen=True)
class Report:
    """What a pruning did; `str` gives it as a text for people.

    ``widths`` gives the channels of each layer before and after, ``barriers`` the layers that kept
    channels and why, ``notes`` why nothing shrank or a width is not as the limits want it.
    """

    parameters: tuple[int, int]
    multiply_accumulates: tuple[int, int] | None
    widths: dict[str, tuple[int, int]]
    barriers: tuple[Barrier, ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [change("parameters", *self.parameters)]
        if self.multiply_accumulates is not None:
            lines.append(change("multiply-accumulates", *self.multiply_accumulates))
        lines += [
            f"  {path}: {before} to {after}"
            for path, (before, after) in self.widths.items()
            if before != after
        ]
        lines += [
            f"  barrier at {barrier.path} ({barrier.reason}): "
            + (
                f"{barrier.num_coupled} channels stay"
                if barrier.num_coupled
                else "its own channels stay"
            )
            for barrier in self.barriers
        ]
        lines += [f"  {note}" for note in self.notes]
        return "\n".join(lines)


@dataclass(frozen=True)
class Pruned:
    """A smaller model, the log that makes it again from the larger one, and a report."""

    model: keras.Model
    log: Log
    report: Report


def prune(
    model: keras.Model,
    *,
    ratio: Ratio | Mapping[str, Ratio] | None = None,
    budget: Budget | None = None,
    criterion: str | ScoreFilters = "l1",
    scope: str = "local",
    aggregate: str = "mean",
    limits: Limits | None = None,
    original: Mapping[str, int] | None = None,
    data: Iterable[tuple[Any, Any]] | None = None,
    loss: Any = "categorical_crossentropy",
    seed: int = 0,
    moving_statistics: bool = False,
) -> Pruned:
    """Remove channels from a model, with every weight that belongs to them.

    Parameters
    ----------
    model : keras.Model
        Functional or sequential, built; it is not changed. Nested models, shared layers, several
        inputs and outputs are followed. A layer without a rule keeps all channels that touch it,
        and the report names it.
    ratio : float or mapping, optional
        Share of the channels to take away, in (0, 1): of each group of layers, or of all together.
        Or, with scope ``local``, one for each pattern of layer names, such as ``{"block_1_*": 0.3,
        "*": 0.5}``; ``*`` and ``?`` stand for any characters. The first pattern that fits one of a
        group's layers counts for the group; a group that none fits stays whole.
    budget : Budget, optional
        Instead of a ratio: what the smaller model may cost.
    criterion : str or callable
        A key of `slimderm.components.pruning.criteria.table.CRITERIA`. Or a function ``f(layer,
        filters)`` that returns one number for each row of ``filters``, the larger the better to
        keep: the rows, shape (F, D), are the weights of the layer's F channels. It is called once
        for each layer that makes channels. Scopes other than ``local`` divide its values by their
        group's mean.
    scope : str
        ``local``, ``global`` or ``isomorphic``, as `slimderm.components.pruning.selection.Planner`
        has it.
    aggregate : str
        ``mean``, ``sum`` or ``max`` over channels that go together.
    limits : Limits, optional
        Layers kept out, floors, widths' multiple.
    original : mapping, optional
        What ratios count from, as `slimderm.components.pruning.selection.Planner` has it.
    data : iterable of (inputs, targets), optional
        Batches for the criteria ``taylor``, ``activation`` and ``apoz``.
    loss : str or callable
        For ``taylor``: a loss of Keras.
    seed : int
        For ``random``.
    moving_statistics : bool
        Channels may also leave layers that normalise over channels: layer and RMS normalisation,
        unit normalisation, and channels inside the groups of group normalisation (whole groups go
        in any case). Their statistics are then over the channels that stay, so the outputs move;
        train the smaller model. The report names the layers.

    Returns
    -------
    Pruned

    Raises
    ------
    ParameterError
        For a model whose graph cannot be read, a quantised model, a ratio outside (0, 1), a
        pattern that fits no layer, both a ratio and a budget or neither, a budget that cannot be
        met, an unknown name, or missing data.
    """
    if (ratio is None) == (budget is None):
        raise ParameterError(
            f"ratio, budget: received {ratio} and {budget}, expected one of the two"
        )
    if ratio is not None and not isinstance(ratio, Mapping):
        check_ratio(ratio)
    for name, value, kind in (("budget", budget, Budget), ("limits", limits, Limits)):
        if value is not None and not isinstance(value, kind):
            raise ParameterError(
                f"{name}: received {value!r}, expected a {kind.__name__}, to be imported from "
                "slimderm.components.pruning.method"
            )
    _check_float(model)
    graph = trace(model, moving=moving_statistics)
    evidence = ScoringInputs(graph, data, loss, seed)
    planner = Planner(
        graph,
        importance(evidence, criterion, aggregate=aggregate),
        scope=scope,
        comparable=get_criterion(criterion).comparable,
        limits=limits,
        original=original,
    )
    if budget is not None:
        keep = meet(planner, budget)
    else:
        assert ratio is not None
        keep = planner.plan(ratio)
    notes = _notes(planner, keep, budget)
    return Pruned(remove(graph, keep), write_log(graph, keep), report(graph, keep, notes))


def _check_float(model: Any) -> None:
    """Refuse layers whose weights are integers: scales and packed bits belong to all channels."""
    check_model(model)
    modes = {
        layer.name: str(mode)
        for layer in model._flatten_layers()
        if (mode := getattr(layer, "quantization_mode", None)) not in (None, "float8")
    }
    if modes:
        raise ParameterError(
            f"model: received {model.name!r}, quantised to {', '.join(sorted(set(modes.values())))}"
            f" in {', '.join(modes)}, expected weights of floating point; prune the model first, "
            "then quantise the smaller one, such as pruned.model.quantize('int8')"
        )


def _notes(planner: Planner, keep: Keep, budget: Budget | None) -> tuple[str, ...]:
    if keep.all():
        return (f"nothing shrank: {why_nothing(planner, budget)}",)
    graph, multiple = planner.graph, planner.limits.multiple
    odd = [
        f"{path}: {width} is no multiple of {multiple}: it goes with layers that keep another width"
        for path, width in widths(graph, keep).items()
        if width % multiple and width < len(graph.producers[path].labels)
    ]
    moved = [path for path, (_, labels) in graph.moved.items() if not kept(keep, labels).all()]
    if moved:
        odd.append(f"outputs move with the statistics of {', '.join(moved)}: train the model")
    return tuple(odd)


def report(graph: Graph, keep: Keep, notes: tuple[str, ...] = ()) -> Report:
    """Describe what keeping some coupled channels does to a model."""
    costs = Costs(graph)
    whole = np.ones(graph.num_coupled, bool)
    before, after = widths(graph, whole), widths(graph, keep)
    known = all(one.positions is not None for one in graph.multiplications)
    return Report(
        parameters=(costs.parameters(whole), costs.parameters(keep)),
        multiply_accumulates=(
            (costs.multiply_accumulates(whole), costs.multiply_accumulates(keep)) if known else None
        ),
        widths={path: (before[path], after[path]) for path in before},
        barriers=graph.barriers,
        notes=notes,
    )
