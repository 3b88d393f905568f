"""All schedules by name: the one list of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from slimderm.components.common.checks import look_up
from slimderm.components.pruning.schedules import (
    algorithm2,
    by_ratio,
    iterative,
    layerwise,
    one_shot,
    path,
)
from slimderm.components.pruning.schedules.base import Schedule, ScheduleSettings
from slimderm.components.pruning.schedules.by_ratio import ByRatio


def _one(settings: ScheduleSettings) -> int:
    return 1


@dataclass(frozen=True)
class ScheduleEntry:
    """One schedule.

    Attributes
    ----------
    steps : callable
        Yields its steps.
    by_ratio : callable, optional
        Yields the steps of each ratio of a study; None where studies cannot run it.
    reads : tuple of str
        Settings that it reads, of those that not every schedule reads.
    needs : mapping
        Settings that may not be empty, each with what is expected instead.
    takes_budget : bool
        Whether a budget may stand in place of the ratio.
    several_steps : bool
        Whether ``num_steps`` trainings share the epochs of one ratio of a study.
    tests_each_step : bool
        Whether it exists to report every step on the test part.
    num_branches : callable
        Takes the settings, and counts at most how many chains of networks it tries; the rule
        noninferior divides its error over them.
    """

    steps: Schedule
    by_ratio: ByRatio | None = None
    reads: tuple[str, ...] = ()
    needs: Mapping[str, str] = field(default_factory=dict)
    takes_budget: bool = False
    several_steps: bool = False
    tests_each_step: bool = False
    num_branches: Callable[[ScheduleSettings], int] = _one


SCHEDULES: dict[str, ScheduleEntry] = {
    "algorithm2": ScheduleEntry(
        algorithm2.from_settings,
        reads=("factors", "max_failures", "max_prunings", "refused_start"),
        needs={"factors": "at least one percentage"},
        num_branches=algorithm2.num_branches,
    ),
    "path": ScheduleEntry(
        path.from_settings,
        by_ratio.rising,
        reads=("path",),
        needs={"path": "at least one, such as 'R1: 50%'"},
        tests_each_step=True,
        num_branches=path.num_branches,
    ),
    "one_shot": ScheduleEntry(
        one_shot.from_settings,
        by_ratio.anew(one_shot.from_settings),
        reads=("ratio", "budget"),
        takes_budget=True,
    ),
    "iterative": ScheduleEntry(
        iterative.from_settings,
        by_ratio.anew(iterative.from_settings),
        reads=("ratio", "num_steps", "spacing"),
        several_steps=True,
    ),
    "layerwise": ScheduleEntry(
        layerwise.from_settings,
        by_ratio.anew(layerwise.from_settings),
        reads=("ratio",),
        several_steps=True,
    ),
}
STUDY_SCHEDULES = tuple(name for name, entry in SCHEDULES.items() if entry.by_ratio)


def get(name: str) -> Schedule:
    """Look up a schedule by its name.

    Raises
    ------
    ParameterError
        For an unknown name; the message lists the known ones.
    """
    return look_up("schedule", name, SCHEDULES).steps


def get_by_ratio(name: str) -> ByRatio:
    """Look up how a study runs a schedule over its ratios.

    Raises
    ------
    ParameterError
        For a name that is unknown or no study can run; the message lists those it can.
    """
    known = {other: entry.by_ratio for other, entry in SCHEDULES.items() if entry.by_ratio}
    return look_up("schedule", name, known)
