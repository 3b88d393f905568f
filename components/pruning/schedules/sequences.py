"""Schedules whose cuts are known from the start: one-shot, iterative, layer-wise (second seed)."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.method import Budget, PruningStep, check_ratio
from slimderm.components.pruning.schedules.algorithm2 import Accept, StepResult, Work, next_step
from slimderm.components.pruning.schedules.widths import UNPRUNED

# Of the whole ratio and the share of the steps that are done: the ratio that is gone by then.
SPACINGS: dict[str, Callable[[float, float], float]] = {
    "constant": lambda ratio, share: ratio * share,
    "geometric": lambda ratio, share: 1 - (1 - ratio) ** share,
    "cubic": lambda ratio, share: ratio * (1 - (1 - share) ** 3),
}


def one_shot(
    work: Work, accept: Accept, *, ratio: float | None = None, budget: Budget | None = None
) -> Iterator[StepResult]:
    """PruningStep once, to the whole ratio or to a budget, and train once (the second seed).

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
    cut = PruningStep(total=ratio, budget=budget)
    name = f"one-shot {_percent(ratio)}" if budget is None else f"{budget.kind} {budget.limit:g}"
    return chain(work, accept, [(name, cut)])


def iterative(
    work: Work, accept: Accept, *, ratio: float, num_steps: int, spacing: str = "constant"
) -> Iterator[StepResult]:
    """PruningStep a little, train, and cut again, until the ratio is reached (the second seed).

    Parameters
    ----------
    work, accept : callable
        As for `algorithm2`.
    ratio : float
        Of the unpruned network, in (0, 1).
    num_steps : int
        How many cuts.
    spacing : str
        As for `totals`.

    Yields
    ------
    StepResult
        The unpruned network, then one for each cut.

    Raises
    ------
    ParameterError
        When a parameter is out of range.
    """
    cuts = [
        (f"iterative {_percent(ratio)}, {index} of {num_steps}", PruningStep(total=total))
        for index, total in enumerate(totals(ratio, num_steps, spacing), 1)
    ]
    return chain(work, accept, cuts)


def totals(ratio: float, num_steps: int, spacing: str) -> list[float]:
    """Return the share that is gone after each of several cuts; the last is the ratio.

    ``constant`` takes the same share of the unpruned network each time, ``geometric`` the same
    share of what is there, ``cubic`` much first and little at the end (Zhu and Gupta 2017, eq. 1,
    arXiv 1710.01878).

    Raises
    ------
    ParameterError
        When a parameter is out of range.
    """
    check_ratio(ratio)
    if num_steps < 1 or spacing not in SPACINGS:
        raise ParameterError(
            f"iterative: received {num_steps} steps spaced {spacing!r}, expected at least 1, "
            f"spaced {', '.join(SPACINGS)}"
        )
    shares = [step / num_steps for step in range(1, num_steps)]
    law = SPACINGS[spacing]
    # What a decimal ratio gives is a decimal: plans take the floor of exact fractions.
    return [*(round(law(ratio, share), 12) for share in shares), ratio]


def layerwise(
    work: Work, accept: Accept, *, ratio: float, num_parts: int | None = None
) -> Iterator[StepResult]:
    """PruningStep one layer after the other, and train after each (the second seed).

    Parameters
    ----------
    work, accept : callable
        As for `algorithm2`.
    ratio : float
        Of each layer, in (0, 1).
    num_parts : int, optional
        Layers are cut in so many parts, first to last; one by one where not given.

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
    first = next(chain(work, accept, [("", PruningStep(total=ratio))]))
    layers = list(first.evaluation.sizes)
    yield first if layers else replace(first, stopped="no layer may shrink")
    number = min(num_parts or len(layers), len(layers))
    bounds = [index * len(layers) // max(number, 1) for index in range(number + 1)]
    cuts = [
        (
            f"layers {begin + 1} to {end} of {len(layers)} {_percent(ratio)}",
            PruningStep(total=ratio, layers=tuple(layers[begin:end])),
        )
        for begin, end in itertools.pairwise(bounds)
    ]
    yield from chain(work, accept, cuts, first)


def chain(
    work: Work,
    accept: Accept,
    cuts: Sequence[tuple[str, PruningStep]],
    step: StepResult | None = None,
) -> Iterator[StepResult]:
    """PruningStep each network from the one before, whatever the verdicts.

    Parameters
    ----------
    work, accept : callable
        As for `algorithm2`.
    cuts : sequence of (notation, cut)
        In order.
    step : StepResult, optional
        Where to start; the unpruned network, which is then yielded first, where not given.
    """
    if step is None:
        evaluation = work(None, None, UNPRUNED)
        step = next_step(0, UNPRUNED, None, None, evaluation, accept=accept, last=not cuts)
        yield step
    for index, (name, cut) in enumerate(cuts, 1):
        evaluation = work(cut, step, name)
        last = index == len(cuts)
        step = next_step(index, name, cut, step, evaluation, accept=accept, last=last)
        yield step


def _percent(ratio: float | None) -> str:
    return f"{100 * (ratio or 0):g}%"
