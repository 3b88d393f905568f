"""Which network to train next: the paper's Algorithm 2, or paths laid down beforehand.

Both are generators of `Step`: the caller trains, records and may stop between any two. They draw no
chance and keep nothing aside, so a caller whose ``train`` remembers its results can start over and
is led through the same steps.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from components.errors import ParameterError
from components.pruning.acceptance import Verdict
from components.pruning.settings import FACTORS
from components.pruning.widths import (
    UNPRUNED,
    Widths,
    check_factor,
    notation,
    parse_path,
    prune,
)


class Evaluation(Protocol):
    """What ``train`` returns: anything that has metrics, and whatever else its maker needs."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """Shares such as ``validation_accuracy``."""
        ...


@dataclass(frozen=True)
class Step:
    """One network trained and judged.

    ``percents`` is the factor of each iteration from the unpruned network to this one, ``parent``
    the notation of the network it was pruned from, ``num_failures`` the refusals in a row up to and
    including this step, ``stopped`` why the schedule ends here, empty while it goes on.
    """

    index: int
    notation: str
    percents: tuple[float, ...]
    parent: str | None
    widths: Widths
    evaluation: Any
    verdict: Verdict
    num_failures: int = 0
    stopped: str = ""

    @property
    def percent(self) -> float | None:
        """The factor of this step's own iteration; None for the unpruned network."""
        return self.percents[-1] if self.percents else None


# Widths to train, their notation, and the step they were pruned from (None for the unpruned).
Train = Callable[[Widths, str, Step | None], Evaluation]
Accept = Callable[[Mapping[str, float]], Verdict]


def algorithm2(
    start: Widths,
    train: Train,
    accept: Accept,
    *,
    factors: Sequence[float] = FACTORS,
    max_failures: int = 2,
    refused_start: str = "stop",
) -> Iterator[Step]:
    """Prune for as long as the metrics hold (paper, Algorithm 2, read with sections 3 and 5.2).

    The first step is the unpruned network on compressed images. Then the last accepted network is
    pruned with the first factor again and again; a refusal moves on to the next factor.

    Parameters
    ----------
    start : Widths
        Of the unpruned network.
    train : callable
        Trains widths and returns an `Evaluation`.
    accept : callable
        Judges the evaluation's metrics.
    factors : sequence of float
        Percentages, in the order in which they are tried.
    max_failures : int
        Refusals in a row after which the schedule ends.
    refused_start : str
        ``stop`` ends at a refused unpruned network, as the printed algorithm breaks off there;
        ``prune`` prunes it all the same and counts a first failure.

    Yields
    ------
    Step
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
    base: Step | None = None
    percents: tuple[float, ...] = ()
    widths, name = start, UNPRUNED
    while True:
        evaluation = train(widths, name, base)
        verdict = accept(evaluation.metrics)
        num_failures = 0 if verdict.accepted else num_failures + 1
        if base is not None and not verdict.accepted:
            remaining.pop(0)
        origin = widths if verdict.accepted or base is None else base.widths
        stopped = _why_stop(verdict, base, refused_start, num_failures, max_failures)
        stopped = stopped or _why_exhausted(origin, remaining)
        step = Step(
            index=index,
            notation=name,
            percents=percents,
            parent=base.notation if base else None,
            widths=widths,
            evaluation=evaluation,
            verdict=verdict,
            num_failures=num_failures,
            stopped=stopped,
        )
        yield step
        if stopped:
            return
        base = step if verdict.accepted or base is None else base
        index += 1
        percents = (*base.percents, remaining[0])
        widths, name = prune(base.widths, remaining[0]), notation(percents)


def _why_stop(
    verdict: Verdict,
    base: Step | None,
    refused_start: str,
    num_failures: int,
    max_failures: int,
) -> str:
    if base is None and not verdict.accepted and refused_start == "stop":
        return "the unpruned network is refused, so there is nothing to prune from"
    if num_failures >= max_failures:
        return f"{num_failures} refusals in a row"
    return ""


def _why_exhausted(origin: Widths, remaining: Sequence[float]) -> str:
    if not remaining:
        return "every factor is used up"
    if prune(origin, remaining[0]) == origin:
        return "nothing can shrink any more"
    return ""


def explicit_path(
    start: Widths, train: Train, accept: Accept, paths: Iterable[str | Sequence[float]]
) -> Iterator[Step]:
    """Train every network on given paths, whatever the verdicts, each shared beginning once.

    Parameters
    ----------
    start : Widths
        Of the unpruned network, which is the first step.
    train, accept : callable
        As for `algorithm2`.
    paths : iterable
        In R-notation, or as the percentages of successive iterations.

    Yields
    ------
    Step
        Parents come before what is pruned from them.

    Raises
    ------
    ParameterError
        Before anything is trained, when a path is no notation or has an iteration that shrinks
        nothing.
    """
    planned = _plan(start, paths)
    done: dict[tuple[float, ...], Step] = {}
    for index, (percents, widths) in enumerate(planned.items()):
        parent = done[percents[:-1]] if percents else None
        name = notation(percents)
        evaluation = train(widths, name, parent)
        verdict = accept(evaluation.metrics)
        num_failures = 0
        if not verdict.accepted:
            num_failures = 1 + (parent.num_failures if parent else 0)
        done[percents] = Step(
            index=index,
            notation=name,
            percents=percents,
            parent=parent.notation if parent else None,
            widths=widths,
            evaluation=evaluation,
            verdict=verdict,
            num_failures=num_failures,
            stopped="the paths are complete" if index == len(planned) - 1 else "",
        )
        yield done[percents]


def _plan(start: Widths, paths: Iterable[str | Sequence[float]]) -> dict[tuple[float, ...], Widths]:
    """Every beginning of every path once, with its widths."""
    planned: dict[tuple[float, ...], Widths] = {(): start}
    whole: list[tuple[float, ...]] = []
    for path in paths:
        whole += parse_path(path) if isinstance(path, str) else [tuple(path)]
    for percents in whole:
        for length in range(1, len(percents) + 1):
            begun = percents[:length]
            before = planned[begun[:-1]]
            planned[begun] = prune(before, begun[-1])
            if planned[begun] == before:
                raise ParameterError(
                    f"path: received {notation(percents)!r}, whose iteration {length} shrinks "
                    f"nothing from {before}; shorten the path"
                )
    return planned
