"""What schedules share: a step's result, what they call, and a chain of given pruning steps."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.method import Budget, PruningStep
from slimderm.components.pruning.verdict import Verdict
from slimderm.components.pruning.widths import FACTORS, UNPRUNED, kept_of


class Evaluation(Protocol):
    """What training gives back; more may be on it than a schedule needs."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """Shares such as ``validation_accuracy``."""
        ...

    @property
    def sizes(self) -> Mapping[str, int]:
        """Channels of each group of layers that may shrink."""
        ...


@dataclass(frozen=True)
class StepResult:
    """One network trained and judged.

    Attributes
    ----------
    pruning_step, parent
        What was taken away, and the notation of the network it was taken from; None for the
        unpruned network.
    percents : tuple of float
        The factors since the unpruned network, where steps are percentages.
    num_failures : int
        Refusals of pruned networks in a row, this step included; an inconclusive verdict neither
        adds nor ends any.
    stopped : str
        Why the schedule ends here; empty while it goes on.
    """

    index: int
    notation: str
    pruning_step: PruningStep | None
    parent: str | None
    evaluation: Any
    verdict: Verdict
    percents: tuple[float, ...] = ()
    num_failures: int = 0
    stopped: str = ""


# Takes the pruning step, the result to prune from, and the notation of the new network. The first
# call has neither step nor result: it trains the unpruned network.
RunStep = Callable[[PruningStep | None, StepResult | None, str], Evaluation]
# Takes what was trained, and the result that it was pruned from.
Accept = Callable[[Any, StepResult | None], Verdict]


@dataclass(frozen=True)
class ScheduleSettings:
    """Settings of all schedules; each reads those it needs.

    Attributes
    ----------
    ratio : float, optional
        Share of the channels that is gone in the end, in (0, 1).
    budget : Budget, optional
        What the pruned network may cost, in place of the ratio.
    num_steps : int
        Pruning steps of ``iterative``.
    spacing : str
        How ``iterative`` spaces them: a key of its `SPACINGS`.
    num_parts : int, optional
        Parts in which ``layerwise`` takes the layers; one by one where not given.
    path : sequence of str
        Paths in the paper's notation.
    factors, max_failures, max_prunings, refused_start
        As for `slimderm.components.pruning.schedules.algorithm2.algorithm2`.
    """

    ratio: float | None = None
    budget: Budget | None = None
    num_steps: int = 3
    spacing: str = "constant"
    num_parts: int | None = None
    path: Sequence[str] = ()
    factors: Sequence[float] = FACTORS
    max_failures: int = 2
    max_prunings: int | None = None
    refused_start: str = "stop"


# One signature for every entry of the table.
Schedule = Callable[[RunStep, Accept, ScheduleSettings], Iterator[StepResult]]


def next_step(
    index: int,
    name: str,
    pruning_step: PruningStep | None,
    parent: StepResult | None,
    evaluation: Any,
    *,
    accept: Accept,
    last: bool,
) -> StepResult:
    """Judge an evaluation and number it; a refusal adds to those in a row before it."""
    verdict = accept(evaluation, parent)
    failures = 0
    if parent is not None and not verdict.accepted:
        failures = parent.num_failures + verdict.failed
    return StepResult(
        index=index,
        notation=name,
        pruning_step=pruning_step,
        parent=parent.notation if parent else None,
        evaluation=evaluation,
        verdict=verdict,
        num_failures=failures,
        stopped="all pruning steps are done" if last else "",
    )


def chain(
    run_step: RunStep,
    accept: Accept,
    pruning_steps: Sequence[tuple[str, PruningStep]],
    step: StepResult | None = None,
) -> Iterator[StepResult]:
    """Prune each network from the one before, whatever the verdicts.

    Parameters
    ----------
    run_step, accept : callable
        As for `slimderm.components.pruning.schedules.algorithm2.algorithm2`.
    pruning_steps : sequence of (notation, pruning step)
        In order.
    step : StepResult, optional
        Where to start; the unpruned network, which is then yielded first, where not given.
    """
    if step is None:
        evaluation = run_step(None, None, UNPRUNED)
        step = next_step(0, UNPRUNED, None, None, evaluation, accept=accept, last=not pruning_steps)
        yield step
    for index, (name, pruning_step) in enumerate(pruning_steps, 1):
        evaluation = run_step(pruning_step, step, name)
        last = index == len(pruning_steps)
        step = next_step(index, name, pruning_step, step, evaluation, accept=accept, last=last)
        yield step


def same_sizes(evaluation: Evaluation, parent: Evaluation) -> bool:
    """Tell whether no group of layers shrank."""
    return dict(evaluation.sizes) == dict(parent.sizes)


def shrinks(sizes: Mapping[str, int], percent: float) -> bool:
    """Tell whether pruning by a percentage takes anything away."""
    return any(kept_of(size, percent) < size for size in sizes.values())


def in_percent(ratio: float | None) -> str:
    """Write a ratio as a percentage, such as ``80%``."""
    return f"{100 * (ratio or 0):g}%"


def required_ratio(settings: ScheduleSettings) -> float:
    """Return the ratio of the settings.

    Raises
    ------
    ParameterError
        Where none is given.
    """
    if settings.ratio is None:
        raise ParameterError("ratio: received none, expected one above 0 and below 1")
    return settings.ratio
