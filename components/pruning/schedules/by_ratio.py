"""How a study runs a schedule at several ratios."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from slimderm.components.pruning.method import PruningStep
from slimderm.components.pruning.schedules.base import (
    Accept,
    RunStep,
    Schedule,
    ScheduleSettings,
    StepResult,
    chain,
    in_percent,
)

StepsOfRatio = Iterator[tuple[float, list[StepResult]]]
ByRatio = Callable[[RunStep, Accept, ScheduleSettings, Sequence[float]], StepsOfRatio]


def rising(
    run_step: RunStep, accept: Accept, settings: ScheduleSettings, ratios: Sequence[float]
) -> StepsOfRatio:
    """Prune to each ratio from the one before; yield each ratio with its one step."""
    pruning_steps = [(in_percent(ratio), PruningStep(total=ratio)) for ratio in ratios]
    steps = chain(run_step, accept, pruning_steps)
    next(steps)
    yield from ((ratio, [step]) for ratio, step in zip(ratios, steps, strict=True))


def anew(schedule: Schedule) -> ByRatio:
    """Let a schedule start from the unpruned network at each ratio."""

    def steps(
        run_step: RunStep, accept: Accept, settings: ScheduleSettings, ratios: Sequence[float]
    ) -> StepsOfRatio:
        for ratio in ratios:
            unpruned, *pruned = schedule(run_step, accept, replace(settings, ratio=ratio))
            yield ratio, pruned or [unpruned]  # layer by layer there may be nothing to prune

    return steps
