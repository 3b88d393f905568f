"""Classify a folder of images with the champion, for `make batch` and its deployment."""

import contextlib
import csv
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from prefect import flow

from slimderm.components.classification.classifier import Classifier
from slimderm.components.common.errors import ParameterError
from slimderm.components.dataset.formats import SUFFIXES
from slimderm.components.monitoring.inputs import EMBEDDING
from slimderm.flows.base.terminal import Update, console, progress_bar
from slimderm.flows.config.params import read_params
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.registry import Registry
from slimderm.flows.serving.people import people_of
from slimderm.flows.serving.preparing import Prepared, prepare_all
from slimderm.flows.serving.service.settings import ServiceSettings
from slimderm.flows.serving.shipped import classifier_of
from slimderm.flows.serving.watch.recorder import ID, Kept, check_kept, input_row, recorder_of

Keep = Callable[[Sequence[Mapping[str, Any]]], list[str]]

BATCH = 32
ROW = ("file", "image_id", "sha256", "error")


def classify(
    found: Iterable[Prepared],
    people: pd.DataFrame,
    classifier: Classifier,
    keep: Keep | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield a row for each file: its hash and calibrated probabilities, or the reason for none.

    Parameters
    ----------
    found : iterable
        Each file, prepared.
    people : DataFrame
        A row a file, in the same order, as `people_of` gives it.
    classifier : Classifier
    keep : callable, optional
        Records what `slimderm.flows.serving.watch.recorder.input_row` gives of each image, and
        returns the ids that the rows get as ``prediction_id``.
    """
    waiting = enumerate(found)
    while batch := list(itertools.islice(waiting, BATCH)):
        places = [place for place, each in batch if each.pixels is not None]
        readable = [each for _, each in batch if each.pixels is not None]
        answers = iter(_answers(readable, people.iloc[places], classifier, keep))
        for _, each in batch:
            yield each.row if each.pixels is None else each.row | next(answers)


def _answers(
    found: Sequence[Prepared], people: pd.DataFrame, classifier: Classifier, keep: Keep | None
) -> list[dict[str, Any]]:
    """Classify images that could be read; record them where that is asked."""
    if not found:
        return []
    answer = classifier.answer([each.pixels for each in found if each.pixels is not None], people)
    rows: list[dict[str, Any]] = answer.drop(columns="calibrated").to_dict("records")
    if keep is None:
        return rows
    persons = people.to_dict("records") or [{}] * len(rows)
    given = zip(found, rows, persons, strict=True)
    names = keep([input_row(each.numbers, row, person) for each, row, person in given])
    return [
        {ID: name} | {key: value for key, value in row.items() if key != EMBEDDING}
        for name, row in zip(names, rows, strict=True)
    ]


@flow(name="predict-folder", flow_run_name="predict {images}", timeout_seconds=24 * 3600)
def predict_folder(
    images: str, output: str, metadata: str | None = None, record: Kept = "nothing"
) -> str:
    """Classify every image of a folder with the champion; return the table's path.

    The table grows as it goes, under its name and .part until it is whole.

    Args:
        images: A folder on the worker's machine; images lie in it at any depth.
        output: Where the table of probabilities goes, a CSV file.
        metadata: A CSV file with image_id and any of lesion_id, age, sex, localization; or empty.
        record: What is recorded of the images, never pictures; docs/watch.md.
    """
    check_kept("record", record)
    files = images_of(images)
    if not output or Path(output).is_dir():
        raise ParameterError(f"output: received {output!r}, expected the name of a CSV file")
    params = read_params()
    registry = Registry(Tracker(params.record))
    version = registry.promotions.served()
    recorder, keep = recorder_of(record, "batch"), None
    by_keras, embedding = ServiceSettings.read().by_keras, record == EMBEDDING
    classifier = classifier_of(registry, version, by_keras=by_keras, embedding=embedding)
    if recorder is not None:
        keep = partial(recorder.keep, version.name, str(version.version))
    description = classifier.description
    people = people_of(files, Path(metadata) if metadata else None, classifier)
    same = {"model": f"{version.name}/{version.version}", "temperature": classifier.temperature}
    columns = [*ROW, *([ID] if keep else []), "predicted", *description["classes"], *same]
    workers = min(params.record.workers, len(files))
    found = prepare_all(files, description, workers, measure=keep is not None)
    rows = classify(found, people, classifier, keep)
    with contextlib.closing(found), progress_bar("predict", len(files)) as update:
        faulty = write_rows(Path(output), columns, (row | same for row in rows), len(files), update)
    console.print(
        f"predict: {len(files) - faulty} images in {output}, {faulty} that could not be read; "
        "not a medical device: docs/intended-use.md",
        highlight=False,
        soft_wrap=True,
    )
    return output


def images_of(images: str) -> list[Path]:
    """List the images of a folder, in order.

    Raises
    ------
    ParameterError
        If it is no folder, or holds none.
    """
    folder = Path(images)
    if not images or not folder.is_dir():  # an empty name is the current folder's, too
        raise ParameterError(f"images: received {images!r}, expected a folder that is there")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise ParameterError(
            f"images: received {images!r}, which holds no image, expected a folder with files "
            f"ending in {', '.join(sorted(SUFFIXES))}"
        )
    return files


def write_rows(
    output: Path,
    columns: Sequence[str],
    rows: Iterable[Mapping[str, Any]],
    total: int,
    update: Update,
) -> int:
    """Write a table row by row, and say what is kept of it where that is interrupted.

    Parameters
    ----------
    output : Path
        Appears when the table is whole; until then it has the ending ``.part``.
    columns : sequence of str
        Columns; those that a row lacks stay empty.
    rows : iterable of mapping
        Rows, one for each image.
    total : int
        How many there will be.
    update : callable
        Is told how many are written.

    Returns
    -------
    int
        Rows with an error.
    """
    part, written, faulty = output.with_name(f"{output.name}.part"), 0, 0
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, columns, lineterminator="\n")
            writer.writeheader()
            for written, row in enumerate(rows, start=1):
                writer.writerow(row)
                stream.flush()
                faulty += bool(row["error"])
                update(written)
    except BaseException:
        console.print(
            f"predict: stopped after {written} of {total} images; their rows are kept in {part}",
            highlight=False,
            soft_wrap=True,
        )
        raise
    part.replace(output)
    return faulty
