"""Judge a registered version on any labelled folder that it has not seen, for `make evaluate`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from slimderm.components.classification.classifier import Classifier
from slimderm.components.classification.inputs import prepare
from slimderm.components.common.errors import ImageError, IncomparableError
from slimderm.components.dataset.catalog import Catalog, ingest
from slimderm.components.dataset.metadata import UNKNOWN
from slimderm.components.evaluation.subgroups import age_bands
from slimderm.components.evaluation.unseen import unseen
from slimderm.flows.base.terminal import progress_bar
from slimderm.flows.config.params import Params
from slimderm.flows.record.registry import Registry
from slimderm.flows.work.evaluation import Evaluation
from slimderm.flows.work.seen import seen_by
from slimderm.flows.work.skin_tone import skin_tones

WORDS = {"sex": "sexes", "localization": "localizations"}  # column: the encoder's words
CHUNK = 256  # images in memory at a time, as they came


def evaluate(
    params: Params,
    registry: Registry,
    version: Any,
    classifier: Classifier,
    folder: Path,
    *,
    skin_tone: str = "",
) -> Evaluation:
    """Judge a version on a folder.

    Parameters
    ----------
    params : Params
        The section ingest gives the classes, evaluate the intervals.
    registry : Registry
    version : ModelVersion
    classifier : Classifier
        What answers for it.
    folder : path
        Images and a table, as the step ingest reads them. Only read.
    skin_tone : str
        As for `slimderm.flows.work.skin_tone.skin_tones`.

    Raises
    ------
    SchemaError
        If the folder holds no dataset.
    IncomparableError
        If the version does not know the folder's classes, it is not known what it was trained on,
        or it was trained on every lesion of the folder.
    """
    catalog = _read(params, folder)
    tones = skin_tones(folder, catalog.images["image_id"], skin_tone)
    kept, left_out = unseen(catalog.images, seen_by(registry, version))
    description = classifier.description
    _check(version, folder, description["classes"], catalog, kept)
    people, unknown = known_people(kept, description)
    groups = {name: kept[name].to_numpy(str) for name in ("sex", "localization")}
    groups = {"age": age_bands(kept["age"]).to_numpy(str)} | groups
    if not tones.empty:
        groups["skin tone"] = tones[kept.index].to_numpy(str)
    calibrated = _probabilities(folder, kept, people, classifier)
    return Evaluation(
        version,
        folder,
        tuple(description["classes"]),
        kept,
        left_out,
        catalog.quarantine,
        calibrated,
        groups,
        unknown,
        classifier.temperature,
        classifier.file,
        params,
    )


def _read(params: Params, folder: Path) -> Catalog:
    """Read a folder as the step ingest does; its folder ``negatives`` is read, too."""
    negatives, settings = folder / "negatives", params.ingest
    with progress_bar("evaluate: check", None) as update:
        catalog = ingest(
            folder,
            classes=settings.classes,
            negatives=negatives if negatives.is_dir() else None,
            columns=settings.columns,
            diagnoses=settings.diagnoses,
            table=settings.table,
            max_megapixels=settings.max_megapixels,
            progress=update,
        )
    catalog.check(folder)
    return catalog


def _check(
    version: Any, folder: Path, classes: list[str], catalog: Catalog, kept: pd.DataFrame
) -> None:
    name = f"version {version.version} of {version.name!r}"
    others = sorted(set(catalog.images["label"]) - set(classes))
    if others:
        raise IncomparableError(
            f"{name} cannot be judged on {folder}: received images of {', '.join(others)}, "
            f"expected {', '.join(classes)}, the classes it knows; ingest.classes of params.yaml "
            "says which diagnoses make a class"
        )
    if kept.empty:
        raise IncomparableError(
            f"{name} cannot be judged on {folder}: all {len(catalog.images)} images are of lesions "
            "that it was trained or validated on; expected images that it has not seen"
        )


def known_people(
    rows: pd.DataFrame, description: Mapping[str, Any]
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Take words that a version does not know as unknown; count them."""
    people, counts = rows[["age", *WORDS]].copy(), dict[str, int]()
    if description["image_only"]:
        return people, counts
    for column, words in WORDS.items():
        strange = ~people[column].isin([*description["encoder"][words], UNKNOWN])
        people[column] = people[column].mask(strange, UNKNOWN)
        if strange.any():
            counts[column] = int(strange.sum())
    return people, counts


def _probabilities(
    folder: Path, rows: pd.DataFrame, people: pd.DataFrame, classifier: Classifier
) -> np.ndarray:
    """Classify images, (N, C), in the order of their rows."""
    description, people = classifier.description, classifier.people(people)
    places = {"source": folder, "negatives": folder / "negatives"}
    files = [places[row.origin] / row.file for row in rows.itertuples()]
    given = []
    with progress_bar("evaluate: classify", len(files)) as update:
        for start in range(0, len(files), CHUNK):
            chunk = files[start : start + CHUNK]
            images = [_prepared(path, description) for path in chunk]
            answers = classifier.answer(images, people.iloc[start : start + CHUNK])
            given.append(answers[list(description["classes"])].to_numpy(np.float64))
            update(start + len(chunk))
    return np.concatenate(given)


def _prepared(path: Path, description: Mapping[str, Any]) -> np.ndarray:
    try:
        return prepare(path.read_bytes(), description)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error
