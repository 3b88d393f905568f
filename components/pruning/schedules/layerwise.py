"""One layer after the other, a training after each."""

import itertools
from collections.abc import Iterator
from dataclasses import replace

from slimderm.components.pruning.method import PruningStep, check_ratio
from slimderm.components.pruning.schedules.base import (
    Accept,
    RunStep,
    ScheduleSettings,
    StepResult,
    chain,
    in_percent,
    required_ratio,
)


def layerwise(
    run_step: RunStep, accept: Accept, *, ratio: float, num_parts: int | None = None
) -> Iterator[StepResult]:
    """Prune one layer after the other, and train after each.

    Parameters
    ----------
    run_step, accept : callable
        As for `slimderm.components.pruning.schedules.algorithm2.algorithm2`.
    ratio : float
        Of each layer, in (0, 1).
    num_parts : int, optional
        Layers are pruned in so many parts, first to last; one by one where not given.

    Yields
    ------
    StepResult
        The unpruned network, then one for each layer.

    Raises
    ------
    ParameterError
        For a ratio outside (0, 1).
    """
    check_ratio(ratio)
    first = next(chain(run_step, accept, [("", PruningStep(total=ratio))]))
    layers = list(first.evaluation.sizes)
    yield first if layers else replace(first, stopped="no layer may shrink")
    number = min(num_parts or len(layers), len(layers))
    bounds = [index * len(layers) // max(number, 1) for index in range(number + 1)]
    pruning_steps = [
        (
            f"layers {begin + 1} to {end} of {len(layers)} {in_percent(ratio)}",
            PruningStep(total=ratio, layers=tuple(layers[begin:end])),
        )
        for begin, end in itertools.pairwise(bounds)
    ]
    yield from chain(run_step, accept, pruning_steps, first)


def from_settings(
    run_step: RunStep, accept: Accept, settings: ScheduleSettings
) -> Iterator[StepResult]:
    """Take ratio and number of parts of the settings."""
    ratio = required_ratio(settings)
    return layerwise(run_step, accept, ratio=ratio, num_parts=settings.num_parts)
