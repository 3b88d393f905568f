"""One pruning step, one training."""

from collections.abc import Iterator

from slimderm.components.pruning.method import Budget, PruningStep, check_ratio
from slimderm.components.pruning.schedules.base import (
    Accept,
    RunStep,
    ScheduleSettings,
    StepResult,
    chain,
    in_percent,
)


def one_shot(
    run_step: RunStep, accept: Accept, *, ratio: float | None = None, budget: Budget | None = None
) -> Iterator[StepResult]:
    """Prune once, to the whole ratio or to a budget, and train once.

    Yields
    ------
    StepResult
        The unpruned network, then the pruned one.

    Raises
    ------
    ParameterError
        For a ratio outside (0, 1), or not just one of ratio and budget.
    """
    if ratio is not None:
        check_ratio(ratio)
    pruning_step = PruningStep(total=ratio, budget=budget)
    name = f"one-shot {in_percent(ratio)}" if budget is None else f"{budget.kind} {budget.limit:g}"
    return chain(run_step, accept, [(name, pruning_step)])


def from_settings(
    run_step: RunStep, accept: Accept, settings: ScheduleSettings
) -> Iterator[StepResult]:
    """Take the budget of the settings, or else the ratio."""
    ratio = None if settings.budget else settings.ratio
    return one_shot(run_step, accept, ratio=ratio, budget=settings.budget)
