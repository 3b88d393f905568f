"""Evaluate a version on a folder, and keep what was found: a page, tables, a run in MLflow."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from slimderm.components.common.cache import content_key, replacing
from slimderm.components.common.errors import ParameterError
from slimderm.components.evaluation.subgroups import MIN_LESIONS
from slimderm.components.evaluation.unseen import REASONS
from slimderm.components.reporting.evaluation_page import evaluation_sections, metrics_table
from slimderm.components.reporting.page import render
from slimderm.flows.base.code import code_hash
from slimderm.flows.base.files import write_json, write_text
from slimderm.flows.config import layout
from slimderm.flows.config.params import read_params
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.provenance import provenance_tags
from slimderm.flows.record.registry import Registry
from slimderm.flows.serving.service.settings import ServiceSettings
from slimderm.flows.serving.shipped import classifier_of
from slimderm.flows.work.evaluating import evaluate
from slimderm.flows.work.evaluation import Evaluation

GROUP = "evaluations"  # name of the parent run
PAGE = "index.html"


@dataclass(frozen=True)
class Evaluated:
    """An evaluation that was kept: where its page lies, and its run in MLflow."""

    evaluation: Evaluation
    folder: Path
    run_id: str


def evaluate_folder(folder: str, number: str = "", skin_tone: str = "") -> Evaluated:
    """Judge a version on a labelled folder that it has not seen; keep page, tables and run.

    Parameters
    ----------
    folder : str
        A dataset as the step ingest reads it.
    number : str
        The version, such as ``3`` or ``slimderm/3``; empty for the champion.
    skin_tone : str
        The column of skin tones; empty for one that is known.

    Raises
    ------
    ParameterError
        If there is no such folder.
    RecordError
        If there is no such version.
    SchemaError, IncomparableError
        As `slimderm.flows.work.evaluating.evaluate`.
    """
    if not folder or not Path(folder).is_dir():  # an empty name is the current folder's, too
        raise ParameterError(f"DATA: received {folder!r}, expected a folder of labelled images")
    params = read_params()
    tracker = Tracker(params.record)
    registry = Registry(tracker)
    version = registry.version(_number(number)) if number else registry.expected("champion")
    classifier = classifier_of(registry, version, by_keras=ServiceSettings.read().by_keras)
    found = evaluate(params, registry, version, classifier, Path(folder), skin_tone=skin_tone)
    place = layout.EVALUATIONS / f"{found.folder.resolve().name}-version-{version.version}"
    _write(found, place)
    return Evaluated(found, place, _record(found, place, tracker, registry))


def _number(given: str) -> str:
    return given.rpartition("/")[2]


def sentences(found: Evaluation) -> dict[str, list[str]]:
    """Say what stands around the page's tables: ``judged``, ``calibration``, ``subgroups``."""
    images, lesions = len(found.images), len(set(found.lesions))
    judged = [
        f"{found.version.name} version {found.version.version} on {images} images of {lesions} "
        f"lesions of {found.folder}, which it was neither trained nor validated on. What answered: "
        f"{found.answered}."
    ]
    if len(found.left_out):
        reasons = [f"{name}, {REASONS[name]}" for name in found.left_out["reason"].unique()]
        judged.append(
            f"{len(found.left_out)} images were left out, because the version has seen them: "
            f"{'; '.join(reasons)}."
        )
    if len(found.quarantine):
        judged.append(
            f"{len(found.quarantine)} rows or files could not be used: quarantine.csv says why."
        )
    absent = [name for name in found.classes if name not in set(found.images["label"])]
    if absent:
        judged.append(f"The folder has no image of {', '.join(absent)}.")
    judged += [
        f"{count} images have a {column} that the version does not know; it was taken as unknown."
        for column, count in found.unknown_words.items()
    ]
    return {
        "judged": judged,
        "calibration": [_calibration(found)],
        "subgroups": [
            f"A group of fewer than {MIN_LESIONS} lesions has no figures. Many groups are looked "
            "at: some differ by chance.",
            *(
                []
                if "skin tone" in found.groups
                else ["The folder's tables have no column of skin tones, so none is shown."]
            ),
        ],
    }


def _calibration(found: Evaluation) -> str:
    error = f"Expected calibration error {found.calibration['ece']:.3f} as trained"
    if found.temperature is None:
        return f"{error}. No review has fitted a temperature, so nothing is calibrated."
    return (
        f"{error}, {found.calibration['ece_calibrated']:.3f} with the temperature "
        f"{found.temperature:.2f}, fitted on the version's own validation part."
    )


def _write(found: Evaluation, place: Path) -> None:
    """Write the page and its tables; an older evaluation of the same name is replaced."""
    sections = evaluation_sections(
        sentences(found),
        metrics=found.metrics,
        record={"confusion": found.confusion, "classes": found.classes},
        bins=found.bins,
        subgroups=found.subgroups,
        left_out=found.counts,
    )
    title = f"Version {found.version.version} of {found.version.name} on {found.folder.name}"
    frames = {
        "metrics": metrics_table(found.metrics),
        "subgroups": found.subgroups,
        "confusion": pd.DataFrame(found.confusion, found.classes, found.classes).reset_index(),
        "left_out": found.left_out[["image_id", "lesion_id", "file", "reason"]],
        "quarantine": found.quarantine,
        "predictions": _predictions(found),
    }
    with replacing(place) as draft:
        write_text(draft / PAGE, render(title, sections))
        for name, frame in frames.items():
            write_text(draft / f"{name}.csv", frame.to_csv(index=False))
        write_json(draft / "calibration.json", found.calibration)


def _predictions(found: Evaluation) -> pd.DataFrame:
    """Each image's label, prediction and probabilities."""
    chosen = np.array(found.classes)[found.calibrated.argmax(axis=1)]
    shares = pd.DataFrame(found.calibrated, found.images.index, found.classes)
    named = found.images[["image_id", "lesion_id", "sha256", "label"]]
    return pd.concat([named.assign(predicted=chosen), shares], axis=1)


def _record(found: Evaluation, place: Path, tracker: Tracker, registry: Registry) -> str:
    """Log an evaluation as a run of its own, once for the same content; return the run's id."""
    version = found.version
    key = content_key(evaluation=found.content, code=code_hash(__name__))
    known = tracker.find(key)
    if known is not None:
        return str(known.info.run_id)
    parent = tracker.parent(content_key(parent=GROUP), GROUP, provenance_tags())
    tags = {
        "evaluated.model": f"{version.name}/{version.version}",
        "evaluated.run": version.run_id,
    }
    name = f"{found.folder.name}, version {version.version}"
    with tracker.child(parent, key, name, provenance_tags() | tags) as run:
        run.params({"folder": found.folder, "temperature": found.temperature})
        run.metrics({_sectioned(name): value for name, value in _numbers(found)})
        run.artifacts(place)
    registry.tag(version, {f"evaluation.{found.folder.resolve().name}": run.run_id})
    return run.run_id


def _sectioned(name: str) -> str:
    """Put a figure into a section of MLflow's page."""
    section = {"num": "count", "ece": "calibration"}.get(name.split("_", maxsplit=1)[0], "quality")
    return f"{section}/{name}"


def _numbers(found: Evaluation) -> Iterator[tuple[str, float]]:
    """Every figure that is defined, by its name in files."""
    figures: dict[str, float] = dict(found.calibration)
    for name, (value, low, high) in found.metrics.items():
        figures |= {name: value, f"{name}_low": low, f"{name}_high": high}
    figures |= {
        "num_images": len(found.images),
        "num_lesions": len(set(found.lesions)),
        "num_left_out": len(found.left_out),
        "num_quarantined": len(found.quarantine),
    }
    yield from ((name, value) for name, value in figures.items() if not np.isnan(value))


def as_json(evaluated: Evaluated) -> dict[str, Any]:
    """Give what a script needs of an evaluation."""
    found = evaluated.evaluation
    return {
        "model": f"{found.version.name}/{found.version.version}",
        "figures": dict(_numbers(found)),
        "subgroups": json.loads(found.subgroups.to_json(orient="records")),
        "page": str(evaluated.folder / PAGE),
        "run": evaluated.run_id,
    }
