"""All schedules by name: the one list of them."""

from dataclasses import dataclass

from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.schedules import (
    algorithm2,
    by_ratio,
    iterative,
    layerwise,
    one_shot,
    path,
)
from slimderm.components.pruning.schedules.base import Schedule
from slimderm.components.pruning.schedules.by_ratio import ByRatio


@dataclass(frozen=True)
class Entry:
    """One schedule.

    Attributes
    ----------
    steps : callable
        Yields its steps.
    by_ratio : callable, optional
        Yields the steps of each ratio of a study; None where studies cannot run it.
    """

    steps: Schedule
    by_ratio: ByRatio | None = None


SCHEDULES: dict[str, Entry] = {
    "algorithm2": Entry(algorithm2.from_settings),
    "path": Entry(path.from_settings, by_ratio.rising),
    "one_shot": Entry(one_shot.from_settings, by_ratio.anew(one_shot.from_settings)),
    "iterative": Entry(iterative.from_settings, by_ratio.anew(iterative.from_settings)),
    "layerwise": Entry(layerwise.from_settings, by_ratio.anew(layerwise.from_settings)),
}
STUDY_SCHEDULES = tuple(name for name, entry in SCHEDULES.items() if entry.by_ratio)


def get(name: str) -> Schedule:
    """Look up a schedule by its name.

    Raises
    ------
    ParameterError
        For an unknown name; the message lists the known ones.
    """
    if name not in SCHEDULES:
        raise ParameterError(f"schedule: received {name!r}, expected one of {', '.join(SCHEDULES)}")
    return SCHEDULES[name].steps


def get_by_ratio(name: str) -> ByRatio:
    """Look up how a study runs a schedule over its ratios.

    Raises
    ------
    ParameterError
        For a name that is unknown or no study can run; the message lists those it can.
    """
    entry = SCHEDULES.get(name)
    if entry is None or entry.by_ratio is None:
        known = [other for other in SCHEDULES if SCHEDULES[other].by_ratio]
        raise ParameterError(f"schedule: received {name!r}, expected one of {', '.join(known)}")
    return entry.by_ratio
