"""The record of inputs: a file a day and version, a line of JSON an input; lines are only added."""

import fcntl
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal, get_args

import pandas as pd

from slimderm.components.common.errors import ParameterError
from slimderm.components.monitoring.inputs import EMBEDDING, answer_words, person_words
from slimderm.flows.config import layout
from slimderm.flows.serving.people import AGAIN

Kept = Literal["nothing", "statistics", "embedding"]
ID, AT = "prediction_id", "at"
ENDING = ".jsonl"


def check_kept(name: str, given: str) -> None:
    """Refuse a word that is none of `Kept`.

    Raises
    ------
    ParameterError
        Naming the setting that is at fault.
    """
    if given not in get_args(Kept):
        raise ParameterError(
            f"{name}: received {given!r}, expected one of {', '.join(get_args(Kept))}"
        )


@dataclass(frozen=True)
class Recorder:
    """Adds inputs to the record.

    Attributes
    ----------
    kept : Kept
        Statistics alone, or the embedding, too.
    way : str
        How inputs came: ``service`` or ``batch``.
    """

    kept: Kept
    way: str

    def keep(self, model: str, version: str, inputs: Sequence[Mapping[str, Any]]) -> list[str]:
        """Add inputs; return a new random id for each.

        Parameters
        ----------
        model, version : str
            Which answered.
        inputs : sequence of mapping
            As `input_row` makes them.
        """
        now = datetime.now(UTC)
        told = {AT: now.strftime("%Y-%m-%dT%H:00Z"), "model": f"{model}/{version}", "way": self.way}
        names = [uuid.uuid4().hex for _ in inputs]
        lines = [
            json.dumps({ID: name, **told, **each}, ensure_ascii=False)
            for name, each in zip(names, inputs, strict=True)
        ]
        if lines:
            _append(record_of(model, version) / f"{now.date()}{ENDING}", lines)
        return names


def recorder_of(kept: Kept, way: str) -> Recorder | None:
    """Give a recorder, or None where nothing is recorded."""
    return None if kept == "nothing" else Recorder(kept, way)


def input_row(
    picture: Mapping[str, float], answer: Mapping[str, Any], person: Mapping[str, Any]
) -> dict[str, Any]:
    """Gather what is recorded of an input.

    Parameters
    ----------
    picture : mapping
        As `slimderm.components.monitoring.inputs.picture_numbers` gives it.
    answer : mapping
        A row as `Classifier.answer` gives it.
    person : mapping
        ``age``, ``sex`` and ``localization`` as the network read them; ``again`` where the picture
        is a further one of its lesion.
    """
    predicted = answer["predicted"]
    row = {**picture, **answer_words(predicted, answer[predicted]), **person_words(person)}
    row |= {AGAIN: True} if person.get(AGAIN) else {}
    return row | ({EMBEDDING: answer[EMBEDDING]} if EMBEDDING in answer else {})


def record_of(model: str, version: str) -> Path:
    """Return the folder of a version's inputs."""
    return layout.WATCH / f"{model}-{version}"


def read_inputs(
    model: str, version: str, since: date = date.min, until: date = date.max
) -> tuple[pd.DataFrame, int]:
    """Read a version's inputs, in the order in which they came.

    Parameters
    ----------
    since, until : date
        The first and the last day, UTC.

    Returns
    -------
    inputs : DataFrame
        ``prediction_id``, ``at``, ``model``, ``way``, and what was recorded.
    unreadable : int
        Lines that are no JSON: a process was killed, or a disk was full, while it wrote them.
    """
    files = sorted(record_of(model, version).glob(f"*{ENDING}"))
    days = (since.isoformat(), until.isoformat())
    return _read([file for file in files if days[0] <= file.stem <= days[1]])


def read_all_inputs() -> pd.DataFrame:
    """Read the inputs of every version, as `read_inputs`."""
    return _read(sorted(layout.WATCH.glob(f"*/*{ENDING}")))[0]


def _read(files: Sequence[Path]) -> tuple[pd.DataFrame, int]:
    rows, unreadable = [], 0
    for file in files:
        for line in filter(None, file.read_bytes().split(b"\n")):
            try:
                rows.append(json.loads(line))
            except ValueError:
                unreadable += 1
    return pd.DataFrame(rows), unreadable


def _append(file: Path, lines: Sequence[str]) -> None:
    """Add lines, whole also where other processes add some; a line cut short stays apart."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+b") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        end = stream.seek(0, 2)
        stream.seek(max(0, end - 1))
        cut_short = stream.read(1) not in (b"", b"\n")
        stream.write("".join(["\n" * cut_short, *(f"{line}\n" for line in lines)]).encode())
