"""Algorithm 2 of the paper: prune for as long as the metrics hold."""

from collections.abc import Iterator, Mapping, Sequence

from slimderm.components.pruning.method import PruningStep
from slimderm.components.pruning.schedules.base import (
    Accept,
    RunStep,
    ScheduleSettings,
    StepResult,
    same_sizes,
    shrinks,
)
from slimderm.components.pruning.verdict import Verdict
from slimderm.components.pruning.widths import FACTORS, check_factor, notation


def algorithm2(
    run_step: RunStep,
    accept: Accept,
    *,
    factors: Sequence[float] = FACTORS,
    max_failures: int = 2,
    max_prunings: int | None = None,
    refused_start: str = "stop",
) -> Iterator[StepResult]:
    """Prune for as long as the metrics hold (paper, Algorithm 2, read with sections 3 and 5.2).

    The first step is the unpruned network on compressed images. Then the last accepted network is
    pruned with the first factor again and again; a refusal moves on to the next factor. So does an
    inconclusive verdict, but it is no failure.

    Parameters
    ----------
    run_step : callable
        Prunes and trains, and returns an `Evaluation`.
    accept : callable
        Takes an evaluation and the result that it was pruned from, and judges it.
    factors : sequence of float
        Percentages, in the order in which they are tried.
    max_failures : int
        Refused pruned networks in a row after which the schedule ends.
    max_prunings : int, optional
        Pruned networks, accepted or not, after which it ends at the latest.
    refused_start : str
        ``stop`` ends at a refused unpruned network, as the printed algorithm breaks off there;
        ``prune`` prunes it all the same. Its refusal is none of the failures: the printed algorithm
        counts them in its inner loop alone.

    Yields
    ------
    StepResult
        The last one says in ``stopped`` why there is no other.

    Raises
    ------
    ParameterError
        When a factor is out of range.
    """
    for factor in factors:
        check_factor(factor)
    remaining = list(factors)
    num_failures, index = 0, 0
    base: StepResult | None = None
    percents: tuple[float, ...] = ()
    pruning_step: PruningStep | None = None
    while True:
        name = notation(percents)
        evaluation = run_step(pruning_step, base, name)
        verdict = accept(evaluation, base)
        settled = verdict.accepted or base is None
        num_failures = 0 if settled else num_failures + verdict.failed
        if base is not None and not verdict.accepted:
            remaining.pop(0)
        origin = evaluation if verdict.accepted or base is None else base.evaluation
        stopped = _why_stop(verdict, base, refused_start, num_failures, max_failures)
        if not stopped and base is not None and same_sizes(evaluation, base.evaluation):
            stopped = "nothing can shrink any more"  # for floors or a multiple
        stopped = stopped or _why_exhausted(origin.sizes, remaining)
        if not stopped and index == max_prunings:
            stopped = f"{max_prunings} prunings, the most that were asked for"
        step = StepResult(
            index=index,
            notation=name,
            pruning_step=pruning_step,
            parent=base.notation if base else None,
            evaluation=evaluation,
            verdict=verdict,
            percents=percents,
            num_failures=num_failures,
            stopped=stopped,
        )
        yield step
        if stopped:
            return
        base = step if verdict.accepted or base is None else base
        index += 1
        percents = (*base.percents, remaining[0])
        pruning_step = PruningStep(percent=remaining[0])


def _why_stop(
    verdict: Verdict,
    base: StepResult | None,
    refused_start: str,
    num_failures: int,
    max_failures: int,
) -> str:
    if base is None and not verdict.accepted and refused_start == "stop":
        return "the unpruned network is refused, so there is nothing to prune from"
    if num_failures >= max_failures:
        return f"{num_failures} refusals in a row"
    return ""


def _why_exhausted(sizes: Mapping[str, int], remaining: Sequence[float]) -> str:
    if not remaining:
        return "every factor is used up"
    if not shrinks(sizes, remaining[0]):
        return "nothing can shrink any more"
    return ""


def num_branches(settings: ScheduleSettings) -> int:
    """Return how many branches there may be: each factor begins at most one."""
    return min(len(settings.factors), settings.max_prunings or len(settings.factors))


def from_settings(
    run_step: RunStep, accept: Accept, settings: ScheduleSettings
) -> Iterator[StepResult]:
    """Take factors and ends of the settings."""
    return algorithm2(
        run_step,
        accept,
        factors=settings.factors,
        max_failures=settings.max_failures,
        max_prunings=settings.max_prunings,
        refused_start=settings.refused_start,
    )
