"""Labels that come later: each delivery a file that never changes, named by its number and hash."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from slimderm.components.common.errors import ParameterError, RecordError, SchemaError
from slimderm.components.dataset.labels import diagnosis_to_class, word_to_diagnosis
from slimderm.components.monitoring.labels import (
    ID,
    KEPT,
    Delivery,
    accuracy_table,
    read_delivery,
)
from slimderm.components.monitoring.settings import WatchSettings
from slimderm.flows.base.files import write_text
from slimderm.flows.config import layout
from slimderm.flows.config.params import Params
from slimderm.flows.serving.watch.recorder import read_all_inputs

DIGITS = 12  # of the hash, in a file's name


@dataclass(frozen=True)
class LabelsFound:
    """How right a version's answers were.

    ``accuracy`` is as `slimderm.components.monitoring.labels.accuracy_table` gives it, None where
    no label came; ``said`` what to say of it, ``alarms`` what passed a limit.
    """

    accuracy: pd.DataFrame | None
    said: list[str]
    alarms: list[str]


def look_at_labels(params: Params, version: Any, limits: WatchSettings) -> LabelsFound:
    """Judge a version by the labels that came.

    Parameters
    ----------
    params : Params
        The section evaluate says how intervals are drawn.
    limits : WatchSettings

    Raises
    ------
    RecordError
        As `read_labels`.
    """
    every = read_labels()
    labels = every[every["model"] == f"{version.name}/{version.version}"]
    name = f"{version.name} version {version.version}"
    if labels.empty:
        return LabelsFound(None, [f"No label of a prediction by {name} has come."], [])
    settings = params.evaluate
    table = accuracy_table(
        labels,
        num_samples=settings.bootstrap_samples,
        confidence=settings.confidence,
        seed=settings.seed,
    )
    lesions = table.loc[table["when"] == "all", "num_lesions"].max()
    said = [
        f"{len(labels)} predictions by {name} have a label, of {lesions} lesions. Low and high "
        f"bound the interval ({settings.confidence:.0%}) over resampled lesions."
    ]
    return LabelsFound(table, said, list(_below(table, limits)))


def _below(table: pd.DataFrame, limits: WatchSettings) -> Iterator[str]:
    """Say which figures lie below their limit with all of their interval."""
    least = {
        "balanced_accuracy": limits.least_balanced_accuracy,
        "melanoma_sensitivity": limits.least_melanoma_sensitivity,
    }
    for row in table[table["when"] == "all"].itertuples():
        if row.high < least.get(row.figure, 0.0):
            yield (
                f"{row.figure.replace('_', ' ')} {row.value:.3f} ({row.low:.3f} to "
                f"{row.high:.3f}) by {row.num_lesions} lesions, expected {least[row.figure]:g}"
            )


def add_labels(
    params: Params, table: str, *, correct: bool = False
) -> tuple[Delivery, Path | None]:
    """Check a table of labels and keep what is new.

    Parameters
    ----------
    params : Params
        The section ingest says which diagnoses make a class.
    table : str
        A file, as `slimderm.components.monitoring.labels.read_delivery` reads it.
    correct : bool
        Whether a label may replace another one of the same prediction.

    Returns
    -------
    delivery : Delivery
    file : path or None
        Where it is kept; None where nothing is new.

    Raises
    ------
    ParameterError, SchemaError, RecordError
        If there is no such table, it is at fault, or labels that were kept are damaged. Nothing is
        kept then.
    """
    if not table or not Path(table).is_file():
        raise ParameterError(f"TABLE: received {table!r}, expected a CSV file of labels")
    inputs = read_all_inputs()
    if inputs.empty:
        raise SchemaError(
            f"{table}: received labels, but no input is on record in {layout.WATCH}; labels are "
            "joined with predictions that were recorded: docs/watch.md says how to switch it on"
        )
    delivery = read_delivery(Path(table), words_of(params), inputs, read_labels(), correct=correct)
    return delivery, None if delivery.labels.empty else _keep(delivery.labels)


def words_of(params: Params) -> dict[str, str]:
    """Give what each word of a table means: diagnoses, their other names, names of classes."""
    gathered = diagnosis_to_class(params.ingest.classes)
    meanings = word_to_diagnosis(params.ingest.classes, params.ingest.diagnoses)
    found = {name.casefold(): name for name in params.ingest.classes}
    return found | {word: gathered[diagnosis] for word, diagnosis in meanings.items()}


def read_labels() -> pd.DataFrame:
    """Read every label that came, one a prediction: a later delivery replaces an earlier one.

    Raises
    ------
    RecordError
        If a file was changed since it was written.
    """
    frames = []
    for file in _files():
        data = file.read_bytes()
        if _hash(data) != file.stem.partition("-")[2]:
            raise RecordError(
                f"{file}: received other bytes than were written; bring the file back from a copy "
                "(`make pull` where DVC has one), or delete it and give its labels again"
            )
        frames.append(pd.read_csv(file, dtype=str, keep_default_na=False))
    if not frames:
        return pd.DataFrame(columns=list(KEPT), dtype=str)
    return pd.concat(frames).drop_duplicates(ID, keep="last", ignore_index=True)


def _files() -> list[Path]:
    return sorted(layout.FEEDBACK.glob("*.csv"))


def _keep(labels: pd.DataFrame) -> Path:
    data = labels.to_csv(index=False, lineterminator="\n")
    number = max((int(file.stem.partition("-")[0]) for file in _files()), default=0) + 1
    file = layout.FEEDBACK / f"{number:05d}-{_hash(data.encode())}.csv"
    write_text(file, data)
    return file


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:DIGITS]
