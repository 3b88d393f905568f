"""Several pruning steps, a training after each, until a ratio is reached."""

from collections.abc import Callable, Iterator

from slimderm.components.common.errors import ParameterError
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

# The share of the unpruned network that is gone, from the final ratio and the share of steps made.
SPACINGS: dict[str, Callable[[float, float], float]] = {
    "constant": lambda ratio, made: ratio * made,
    "geometric": lambda ratio, made: 1 - (1 - ratio) ** made,
    "cubic": lambda ratio, made: ratio * (1 - (1 - made) ** 3),
}


def iterative(
    run_step: RunStep, accept: Accept, *, ratio: float, num_steps: int, spacing: str = "constant"
) -> Iterator[StepResult]:
    """Prune a little, train, and prune again, until the ratio is reached.

    Parameters
    ----------
    run_step, accept : callable
        As for `slimderm.components.pruning.schedules.algorithm2.algorithm2`.
    ratio : float
        Of the unpruned network, in (0, 1).
    num_steps : int
        How many pruning steps.
    spacing : str
        As for `totals`.

    Yields
    ------
    StepResult
        The unpruned network, then one for each pruning step.

    Raises
    ------
    ParameterError
        When a parameter is out of range.
    """
    pruning_steps = [
        (f"iterative {in_percent(ratio)}, {index} of {num_steps}", PruningStep(total=total))
        for index, total in enumerate(totals(ratio, num_steps, spacing), 1)
    ]
    return chain(run_step, accept, pruning_steps)


def totals(ratio: float, num_steps: int, spacing: str) -> list[float]:
    """Return the share that is gone after each of several pruning steps; the last is the ratio.

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


def from_settings(
    run_step: RunStep, accept: Accept, settings: ScheduleSettings
) -> Iterator[StepResult]:
    """Take ratio, number of steps and spacing of the settings."""
    return iterative(
        run_step,
        accept,
        ratio=required_ratio(settings),
        num_steps=settings.num_steps,
        spacing=settings.spacing,
    )
