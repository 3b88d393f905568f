"""Which cut comes next: schedules that yield one trained and judged network after the other.

Training is a callable that is passed in, so a schedule knows no framework: it can be resumed where
that callable finds its work again, and be followed step by step.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.acceptance import Verdict
from slimderm.components.pruning.method import PruningStep
from slimderm.components.pruning.schedules.widths import (
    FACTORS,
    check_factor,
    kept_of,
    notation,
    parse_path,
)


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

    ``cut`` led to it from ``parent``, given by its notation; both are None for the unpruned one.
    ``percents`` is the factor of each cut since the unpruned network where cuts are percentages.
    ``num_failures`` counts the refusals in a row up to and including this step, ``stopped`` says
    why the schedule ends here and is empty while it goes on.
    """

    index: int
    notation: str
    cut: PruningStep | None
    parent: str | None
    evaluation: Any
    verdict: Verdict
    percents: tuple[float, ...] = ()
    num_failures: int = 0
    stopped: str = ""


# A cut, the step to cut from, and the notation of the result; the first call has neither.
Work = Callable[[PruningStep | None, StepResult | None, str], Evaluation]
Accept = Callable[[Mapping[str, float]], Verdict]


def algorithm2(
    work: Work,
    accept: Accept,
    *,
    factors: Sequence[float] = FACTORS,
    max_failures: int = 2,
    max_prunings: int | None = None,
    refused_start: str = "stop",
) -> Iterator[StepResult]:
    """Prune for as long as the metrics hold (paper, Algorithm 2, read with sections 3 and 5.2).

    The first step is the unpruned network on compressed images. Then the last accepted network is
    pruned with the first factor again and again; a refusal moves on to the next factor.

    Parameters
    ----------
    work : callable
        Cuts and trains, and returns an `Evaluation`.
    accept : callable
        Judges the evaluation's metrics.
    factors : sequence of float
        Percentages, in the order in which they are tried.
    max_failures : int
        Refusals in a row after which the schedule ends.
    max_prunings : int, optional
        Pruned networks, accepted or not, after which it ends at the latest.
    refused_start : str
        ``stop`` ends at a refused unpruned network, as the printed algorithm breaks off there;
        ``prune`` prunes it all the same and counts a first failure.

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
    cut: PruningStep | None = None
    while True:
        name = notation(percents)
        evaluation = work(cut, base, name)
        verdict = accept(evaluation.metrics)
        num_failures = 0 if verdict.accepted else num_failures + 1
        if base is not None and not verdict.accepted:
            remaining.pop(0)
        origin = evaluation if verdict.accepted or base is None else base.evaluation
        stopped = _why_stop(verdict, base, refused_start, num_failures, max_failures)
        if not stopped and base is not None and _same(evaluation, base.evaluation):
            stopped = "nothing can shrink any more"  # for floors or a multiple
        stopped = stopped or _why_exhausted(origin.sizes, remaining)
        if not stopped and index == max_prunings:
            stopped = f"{max_prunings} prunings, the most that were asked for"
        step = StepResult(
            index=index,
            notation=name,
            cut=cut,
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
        cut = PruningStep(percent=remaining[0])


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


def _same(evaluation: Evaluation, parent: Evaluation) -> bool:
    return dict(evaluation.sizes) == dict(parent.sizes)


def shrinks(sizes: Mapping[str, int], percent: float) -> bool:
    """Tell whether a cut by a percentage takes anything away."""
    return any(kept_of(size, percent) < size for size in sizes.values())


def explicit_path(
    work: Work, accept: Accept, paths: Iterable[str | Sequence[float]]
) -> Iterator[StepResult]:
    """Train every network on given paths, whatever the verdicts, each shared beginning once.

    Parameters
    ----------
    work, accept : callable
        As for `algorithm2`.
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
        cut = PruningStep(percent=percents[-1]) if percents else None
        evaluation = work(cut, parent, name)
        if parent is not None and _same(evaluation, parent.evaluation):
            raise _idle(name, parent)
        last = index == len(planned) - 1
        step = next_step(index, name, cut, parent, evaluation, accept=accept, last=last)
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


def next_step(
    index: int,
    name: str,
    cut: PruningStep | None,
    parent: StepResult | None,
    evaluation: Any,
    *,
    accept: Accept,
    last: bool,
) -> StepResult:
    """Judge an evaluation and number it; a refusal adds to those in a row before it."""
    verdict = accept(evaluation.metrics)
    failures = 0 if verdict.accepted else 1 + (parent.num_failures if parent else 0)
    return StepResult(
        index=index,
        notation=name,
        cut=cut,
        parent=parent.notation if parent else None,
        evaluation=evaluation,
        verdict=verdict,
        num_failures=failures,
        stopped="the cuts are complete" if last else "",
    )
