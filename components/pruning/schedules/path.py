"""Paths that are given: the rows of the paper's table 6."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.method import PruningStep
from slimderm.components.pruning.schedules.base import (
    Accept,
    RunStep,
    ScheduleSettings,
    StepResult,
    next_step,
    same_sizes,
    shrinks,
)
from slimderm.components.pruning.widths import check_factor, notation, parse_path


def explicit_path(
    run_step: RunStep, accept: Accept, paths: Iterable[str | Sequence[float]]
) -> Iterator[StepResult]:
    """Train every network on given paths, whatever the verdicts, each shared beginning once.

    Parameters
    ----------
    run_step, accept : callable
        As for `slimderm.components.pruning.schedules.algorithm2.algorithm2`.
    paths : iterable
        In R-notation, or as the percentages of successive iterations.

    Yields
    ------
    StepResult
        The unpruned network first, parents before what is pruned from them.

    Raises
    ------
    ParameterError
        Before anything is trained, when a path is no notation; when an iteration shrinks nothing.
    """
    planned = _plan(paths)
    done: dict[tuple[float, ...], StepResult] = {}
    for index, percents in enumerate(planned):
        parent = done[percents[:-1]] if percents else None
        name = notation(percents)
        if parent is not None and not shrinks(parent.evaluation.sizes, percents[-1]):
            raise _idle(name, parent)
        pruning_step = PruningStep(percent=percents[-1]) if percents else None
        evaluation = run_step(pruning_step, parent, name)
        if parent is not None and same_sizes(evaluation, parent.evaluation):
            raise _idle(name, parent)
        last = index == len(planned) - 1
        step = next_step(index, name, pruning_step, parent, evaluation, accept=accept, last=last)
        done[percents] = replace(step, percents=percents)
        yield done[percents]


def _idle(name: str, parent: StepResult) -> ParameterError:
    return ParameterError(
        f"path: received {name!r}, whose last iteration shrinks nothing from "
        f"{dict(parent.evaluation.sizes)}; shorten the path, or lower floors and multiple"
    )


def _plan(paths: Iterable[str | Sequence[float]]) -> list[tuple[float, ...]]:
    """Every beginning of every path once."""
    planned: dict[tuple[float, ...], None] = {(): None}
    for path in paths:
        for percents in parse_path(path) if isinstance(path, str) else [tuple(path)]:
            for length in range(1, len(percents) + 1):
                check_factor(percents[length - 1])
                planned[percents[:length]] = None
    return list(planned)


def num_branches(settings: ScheduleSettings) -> int:
    """Count the networks from which no other is pruned."""
    planned = _plan(settings.path)
    return len({*planned} - {percents[:-1] for percents in planned if percents})


def from_settings(
    run_step: RunStep, accept: Accept, settings: ScheduleSettings
) -> Iterator[StepResult]:
    """Take the paths of the settings."""
    return explicit_path(run_step, accept, settings.path)
