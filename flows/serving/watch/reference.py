"""The reference of a version: images of training's data that it was not fitted to, in numbers.

A network is surer of images that it was trained on, so those would not do.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from slimderm.components.classification.classifier import Classifier
from slimderm.components.common.cache import content_key
from slimderm.components.common.errors import IncomparableError, RecordError
from slimderm.components.dataset.catalog import check_files
from slimderm.components.dataset.images import decode_image
from slimderm.components.monitoring.inputs import picture_numbers
from slimderm.components.monitoring.settings import WatchSettings
from slimderm.flows.base.terminal import progress_bar
from slimderm.flows.config import layout
from slimderm.flows.record.registry import Registry, temperature_of
from slimderm.flows.serving.service.settings import ServiceSettings
from slimderm.flows.serving.shipped import classifier_of
from slimderm.flows.serving.watch.recorder import input_row
from slimderm.flows.work.evaluating import known_people
from slimderm.flows.work.seen import held_out
from slimderm.flows.work.shipped_version import HASH_TAG
from slimderm.flows.work.stored_images import StoredImages

TAG = "watch.reference"  # of a version: key of its reference
PLACE = "watch/reference.jsonl"  # among the artifacts of the version's run
CHUNK = 32


def reference_of(registry: Registry, version: Any, settings: WatchSettings) -> pd.DataFrame | None:
    """Fetch a version's reference from MLflow; None where these settings have none yet."""
    if version.tags.get(TAG) != _key(version, settings):
        return None
    with TemporaryDirectory() as place:
        client = registry.client
        file = client.download_artifacts(version.run_id, PLACE, place)
        return pd.read_json(file, lines=True, dtype=False)


def make_reference(registry: Registry, version: Any, settings: WatchSettings) -> pd.DataFrame:
    """Measure the reference of a version, and keep it among the artifacts of its run.

    Parameters
    ----------
    settings : WatchSettings
        How many images, and the seed that draws them: one of a lesion.

    Raises
    ------
    IncomparableError
        If the images of its data are not in this clone, or it was trained on all of them.
    """
    rows = _drawn(held_out(registry, version), settings)
    _check_here(rows, version)
    by_keras = ServiceSettings.read().by_keras
    classifier = classifier_of(registry, version, by_keras=by_keras, embedding=True)
    stored, found = StoredImages(classifier.description), []
    with progress_bar("watch: reference", len(rows)) as update:
        for start in range(0, len(rows), CHUNK):
            found += _measured(classifier, stored, rows.iloc[start : start + CHUNK])
            update(len(found))
    frame = pd.DataFrame(found)
    with TemporaryDirectory() as place:
        file = Path(place, Path(PLACE).name)
        file.write_text(frame.to_json(orient="records", lines=True))
        registry.client.log_artifact(version.run_id, str(file), str(Path(PLACE).parent))
    registry.tag(version, {TAG: _key(version, settings)})
    return frame


def _key(version: Any, settings: WatchSettings) -> str:
    """Hash what a reference depends on."""
    return content_key(
        version=f"{version.name}/{version.version}",
        temperature=temperature_of(version),
        file="keras" if ServiceSettings.read().by_keras else version.tags.get(HASH_TAG),
        images=settings.reference_images,
        seed=settings.seed,
    )


def _drawn(images: pd.DataFrame, settings: WatchSettings) -> pd.DataFrame:
    """Draw an image of each lesion, then lesions: images of one are no evidence of each other.

    Not images first: lesions of many images, which are others, would come too often.
    """
    one = images.groupby("lesion_id").sample(1, random_state=settings.seed)
    return one.sample(min(len(one), settings.reference_images), random_state=settings.seed)


def _check_here(rows: pd.DataFrame, version: Any) -> None:
    name = f"the reference of version {version.version} of {version.name!r} cannot be made"
    if rows.empty:
        raise IncomparableError(
            f"{name}: it was trained on every lesion of its data, expected some that it was not"
        )
    try:
        check_files(layout.RAW, rows)
    except RecordError as error:
        raise IncomparableError(
            f"{name}: {error}; make it in the clone that trained the version"
        ) from error


def _measured(
    classifier: Classifier, stored: StoredImages, rows: pd.DataFrame
) -> list[dict[str, Any]]:
    files = [(layout.RAW / name).read_bytes() for name in rows["file"]]
    known, _ = known_people(rows, classifier.description)
    people = classifier.people(known)
    answers = classifier.answer(stored.prepared(rows["file"]), people).to_dict("records")
    persons = people.to_dict("records") or [{}] * len(answers)
    return [
        input_row(picture_numbers(decode_image(data)), answer, person)
        for data, answer, person in zip(files, answers, persons, strict=True)
    ]
