"""A version's recorded inputs beside its reference."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd

from slimderm.components.monitoring.comparison import compare
from slimderm.components.monitoring.settings import WatchSettings
from slimderm.flows.record.registry import Registry
from slimderm.flows.serving.people import AGAIN
from slimderm.flows.serving.watch.recorder import AT, ID, read_inputs
from slimderm.flows.serving.watch.reference import make_reference, reference_of

UNLIKE = [ID, AT, "way"]  # columns in which two records of one picture differ


@dataclass(frozen=True)
class InputsFound:
    """How inputs look beside the reference.

    ``reference`` and ``table`` (as `slimderm.components.monitoring.comparison.compare` gives it)
    are None where nothing was compared; ``said`` says why or what, ``alarms`` what drifted.
    """

    inputs: pd.DataFrame
    reference: pd.DataFrame | None
    table: pd.DataFrame | None
    said: list[str]
    alarms: list[str]


def look_at_inputs(registry: Registry, version: Any, until: date, *, make: bool) -> InputsFound:
    """Compare a version's inputs of the last days with its reference.

    Parameters
    ----------
    until : date
        The last day, UTC.
    make : bool
        Whether a reference is made where there is none.

    Raises
    ------
    IncomparableError
        If a reference must be made and cannot be.
    """
    settings = registry.settings.watch
    since = until - timedelta(days=settings.days - 1)
    inputs, said = _inputs(version, since, until, settings)
    if len(inputs) < settings.min_inputs:
        said.append(
            f"Too few to compare: {len(inputs)}, expected watch.min_inputs, {settings.min_inputs}."
        )
        return InputsFound(inputs, None, None, said, [])
    reference = reference_of(registry, version, settings)
    if reference is None and make:
        reference = make_reference(registry, version, settings)
    if reference is None:
        said.append("Nothing was compared: there is no reference yet; `make watch` makes it.")
        return InputsFound(inputs, None, None, said, [])
    table = compare(reference, inputs, settings)
    drifted = table[table["drifted"]]
    alarms = [
        f"{row.statistic}: {row.change} (p {row.p_adjusted:.2g})" for row in drifted.itertuples()
    ]
    said.append(
        f"Compared with {len(reference)} images of training's data that the version was not fitted "
        f"to, one of a lesion, by {len(table)} tests: {len(drifted)} drifted. A statistic drifted "
        f"where its adjusted p is at most {settings.false_alarms:g} and its distance at least "
        f"{settings.least_distance:g}."
    )
    return InputsFound(inputs, reference, table, said, alarms)


def _inputs(
    version: Any, since: date, until: date, settings: WatchSettings
) -> tuple[pd.DataFrame, list[str]]:
    """Read the inputs of some days, each picture once, and at most so many."""
    name = f"{version.name} version {version.version}"
    days = f"{since} to {until}"
    inputs, unreadable = read_inputs(version.name, str(version.version), since, until)
    if inputs.empty:
        return inputs, [f"No input of {name} is on record for {days} (UTC)."]
    first = inputs[inputs[AGAIN].isna()] if AGAIN in inputs else inputs
    once = first.drop_duplicates([each for each in first if each not in UNLIKE])
    said = [f"{len(once)} inputs of {name}, {days} (UTC)."]
    if further := len(inputs) - len(first):
        said.append(f"{further} more were further pictures of a lesion, which counts once.")
    if repeated := len(first) - len(once):
        said.append(f"{repeated} more were the same pictures again, and count once.")
    if unreadable:
        said.append(f"{unreadable} lines of the record could not be read.")
    if len(once) > settings.max_inputs:
        said.append(f"Of these {settings.max_inputs} were drawn.")
        once = once.sample(settings.max_inputs, random_state=settings.seed)
    return once, said
