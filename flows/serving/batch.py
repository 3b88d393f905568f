"""Classify a folder of images with the champion, for `make batch` and its deployment."""

import contextlib
import csv
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from prefect import flow

from slimderm.components.classification.classifier import Classifier
from slimderm.components.common.errors import ParameterError, SchemaError
from slimderm.components.dataset.formats import SUFFIXES
from slimderm.flows.base.keras_loader import load_keras
from slimderm.flows.base.terminal import Update, console, progress_bar
from slimderm.flows.config.params import read_params
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.registry import Registry
from slimderm.flows.serving.preparing import Prepared, prepare_all

BATCH = 32
ROW = ("file", "image_id", "sha256", "error")
KNOWN = ("image_id", "age", "sex", "localization")


def read_table(path: Path | None) -> pd.DataFrame:
    """Read the people's metadata: ``image_id`` and any of age (years), sex, localization.

    Returns
    -------
    DataFrame
        Index ``image_id``; age float, sex and localization str; NaN where nothing is given.

    Raises
    ------
    SchemaError
        If there is no such table, it lacks ``image_id``, names an image twice, or an age is no
        number.
    """
    if path is None:
        return pd.DataFrame(columns=list(KNOWN)).set_index("image_id")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise SchemaError(f"{path}: cannot be read as a table ({error})") from error
    if "image_id" not in table:
        raise SchemaError(f"{path}: received columns {', '.join(table)}, expected image_id")
    if table["image_id"].duplicated().any():
        twice = table.loc[table["image_id"].duplicated(), "image_id"].iloc[0]
        raise SchemaError(f"{path}: received image_id {twice!r} twice, expected each once")
    table = table.reindex(columns=list(KNOWN), fill_value="").set_index("image_id")
    table = table.mask(table == "")
    ages = pd.to_numeric(table["age"], errors="coerce")
    wrong = table["age"].notna() & ages.isna()
    if wrong.any():
        raise SchemaError(
            f"{path}: received age {table.loc[wrong, 'age'].iloc[0]!r} of "
            f"{wrong.index[wrong][0]!r}, expected years, or nothing"
        )
    return table.assign(age=ages)


def people_of(files: Sequence[Path], metadata: Path | None, classifier: Classifier) -> pd.DataFrame:
    """Read what is known of the person of each image, in the order of the files.

    Raises
    ------
    SchemaError
        As `read_table`, or where a value is none that the model knows.
    """
    asked = read_table(metadata).reindex([path.stem for path in files])
    try:
        return classifier.people(asked)
    except SchemaError as error:
        raise SchemaError(f"{metadata}: {error}") from None


def classify(
    found: Iterable[Prepared], people: pd.DataFrame, classifier: Classifier
) -> Iterator[dict[str, Any]]:
    """Yield a row for each file: its hash and calibrated probabilities, or the reason for none.

    Parameters
    ----------
    found : iterable
        Each file, prepared.
    people : DataFrame
        A row a file, in the same order, as `people_of` gives it.
    classifier : Classifier
    """
    waiting = enumerate(found)
    while batch := list(itertools.islice(waiting, BATCH)):
        places = [place for place, (_, pixels) in batch if pixels is not None]
        images = [pixels for _, (_, pixels) in batch if pixels is not None]
        answers: Iterator[dict[str, Any]] = iter(())
        if images:
            answer = classifier.answer(images, people.iloc[places]).drop(columns="calibrated")
            answers = iter(answer.to_dict("records"))
        for _, (row, pixels) in batch:
            yield row if pixels is None else row | next(answers)


@flow(name="predict-folder", flow_run_name="predict {images}", timeout_seconds=24 * 3600)
def predict_folder(images: str, output: str, metadata: str | None = None) -> str:
    """Classify every image of a folder with the champion; return the table's path.

    The table grows as it goes, under its name and .part until it is whole.

    Args:
        images: A folder on the worker's machine; images lie in it at any depth.
        output: Where the table of probabilities goes, a CSV file.
        metadata: A CSV file with image_id and any of age, sex, localization; empty for none.
    """
    files = images_of(images)
    if not output or Path(output).is_dir():
        raise ParameterError(f"output: received {output!r}, expected the name of a CSV file")
    load_keras()
    params = read_params()
    registry = Registry(Tracker(params.record))
    version = registry.served()
    classifier = Classifier(*registry.load(version), float(version.tags["temperature"]))
    description = classifier.description
    people = people_of(files, Path(metadata) if metadata else None, classifier)
    same = {"model": f"{version.name}/{version.version}", "temperature": classifier.temperature}
    columns = [*ROW, "predicted", *description["classes"], *same]
    found = prepare_all(files, description, min(params.record.workers, len(files)))
    rows = classify(found, people, classifier)
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
