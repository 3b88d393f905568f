"""Classify a folder of images with the champion, for `make batch` and its deployment."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from prefect import flow

from slimderm.components.classification.inputs import model_inputs, prepare
from slimderm.components.common.errors import ImageError, ParameterError, SchemaError
from slimderm.components.dataset.formats import SUFFIXES
from slimderm.components.evaluation.calibration import tempered
from slimderm.flows.base.files import file_hash, write_text
from slimderm.flows.base.keras_loader import load_keras
from slimderm.flows.base.terminal import console, progress_bar
from slimderm.flows.config.params import read_params
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.registry import Registry

BATCH = 32
KNOWN = ("image_id", "age", "sex", "localization")


def read_table(path: Path | None) -> pd.DataFrame:
    """Read the people's metadata: ``image_id`` and any of age (years), sex, localization.

    Returns
    -------
    DataFrame
        Index ``image_id``; age float with NaN, sex and localization str, where unknown ``unknown``.

    Raises
    ------
    SchemaError
        If there is no such table, it lacks ``image_id``, names an image twice, or an age is no
        number of years from 0 to 120.
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
    ages = pd.to_numeric(table["age"].replace("", np.nan), errors="coerce")
    wrong = (table["age"] != "") & ~ages.between(0, 120)
    if wrong.any():
        raise SchemaError(
            f"{path}: received age {table.loc[wrong, 'age'].iloc[0]!r} of "
            f"{wrong.index[wrong][0]!r}, expected years from 0 to 120, or nothing"
        )
    texts = table[["sex", "localization"]].replace("", "unknown")
    return texts.assign(age=ages)


def classify(
    files: list[Path],
    table: pd.DataFrame,
    model: Any,
    description: dict[str, Any],
    temperature: float,
) -> Iterator[dict[str, Any]]:
    """Yield a row for each file: its hash and calibrated probabilities, or the reason for none."""
    for start in range(0, len(files), BATCH):
        rows, images = [], []
        for path in files[start : start + BATCH]:
            row = {"file": str(path), "image_id": path.stem, "sha256": "", "error": ""}
            try:
                row["sha256"] = file_hash(path)
                images.append(prepare(path.read_bytes(), description))
                rows.append(row)
            except (ImageError, OSError) as error:
                yield row | {"error": str(error)}
        if not rows:
            continue
        people = table.reindex([row["image_id"] for row in rows])
        people[["sex", "localization"]] = people[["sex", "localization"]].fillna("unknown")
        people["age"] = people["age"].astype(float)
        inputs = model_inputs(images, people, description)
        given = tempered(model.predict(inputs, verbose=0), temperature)
        for row, values in zip(rows, given, strict=True):
            chosen = description["classes"][int(values.argmax())]
            yield (
                row
                | {"predicted": chosen}
                | dict(zip(description["classes"], map(float, values), strict=True))
            )


@flow(name="predict-folder", flow_run_name="predict {images}", timeout_seconds=24 * 3600)
def predict_folder(images: str, output: str, metadata: str | None = None) -> str:
    """Classify every image of a folder with the champion; return the table's path.

    Args:
        images: A folder on the worker's machine; images lie in it at any depth.
        output: Where the table of probabilities goes, a CSV file.
        metadata: A CSV file with image_id and any of age, sex, localization; empty for none.
    """
    folder = Path(images)
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise ParameterError(
            f"images: received {images!r}, which holds no image, expected a folder with files "
            f"ending in {', '.join(sorted(SUFFIXES))}"
        )
    table = read_table(Path(metadata) if metadata else None)
    load_keras()
    registry = Registry(Tracker(read_params().record))
    version = registry.served()
    model, description = registry.load(version)
    temperature = float(version.tags["temperature"])
    rows = []
    with progress_bar("predict", len(files)) as update:
        for row in classify(files, table, model, description, temperature):
            rows.append(row)
            update(len(rows))
    frame = pd.DataFrame(rows).sort_values("file")
    frame["model"] = f"{version.name}/{version.version}"
    frame["temperature"] = temperature
    write_text(output, frame.to_csv(index=False))
    faulty = int((frame["error"] != "").sum())
    console.print(
        f"predict: {len(frame) - faulty} images in {output}, {faulty} that could not be read; "
        "not a medical device: docs/intended-use.md",
        highlight=False,
        soft_wrap=True,
    )
    return output
