"""Which parameters of the section prune have no effect with the others, and why."""

from collections.abc import Callable
from typing import Any

from slimderm.components.pruning.acceptance import ACCEPTANCE
from slimderm.components.pruning.criteria.table import CRITERIA
from slimderm.components.pruning.schedules.table import SCHEDULES

Reason = Callable[
    [Any], str
]  # the section, to what rules a parameter out; empty where nothing does


def _scores(settings: Any) -> str:
    if settings.init == "inherit" or settings.scope != "local":
        return ""
    return "init scratch and scope local"  # fresh weights, and the same ratio of each layer


def _data(settings: Any) -> str:
    if CRITERIA[settings.criterion].needs_data:
        return _scores(settings)
    return f"criterion {settings.criterion}"


def _weights(settings: Any) -> str:
    return "" if settings.init == "inherit" else "init scratch"


def _ratio(settings: Any) -> str:
    return "a budget" if settings.budget else ""


REASONS: dict[str, Reason] = {
    "criterion": _scores,
    "aggregate": _scores,
    "data_batches": _data,
    "fine_tune_epochs": _weights,
    "fine_tune_learning_rate": _weights,
    "ratio": _ratio,
}


def ruled_out(settings: Any) -> dict[str, str]:
    """Map each parameter that has no effect to the values of others that rule it out.

    Parameters
    ----------
    settings : PruneSettings
        The section.

    Returns
    -------
    dict of str to str
        Such as ``{"num_steps": "schedule algorithm2"}``.
    """
    found: dict[str, str] = {}
    for choice, table in (("schedule", SCHEDULES), ("acceptance", ACCEPTANCE)):
        chosen = getattr(settings, choice)
        known = {name for entry in table.values() for name in entry.reads}
        found |= dict.fromkeys(known - set(table[chosen].reads), f"{choice} {chosen}")
    reasons = {name: reason(settings) for name, reason in REASONS.items()}
    return {name: reason for name, reason in reasons.items() if reason} | found
