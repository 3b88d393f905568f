"""Accuracies before and after, and what they stand on."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from slimderm.components.evaluation.subgroups import MIN_LESIONS
from slimderm.components.reporting.opening import Estimate, Kept
from slimderm.flows.work.report_tables import Record, Results

MELANOMA = "melanoma"  # the class
SHOWN = {
    "balanced_accuracy": "balanced accuracy",
    "melanoma_sensitivity": "melanoma sensitivity",
    "accuracy": "accuracy",
    "auroc": "AUROC",
}
PARTS = ("train", "validation", "test")


def stands_on(frame: pd.DataFrame, *, lesions: bool = True) -> str:
    """Count images, and the lesions that they show: ``8 images of 7 lesions``.

    Augmented copies are counted apart.
    """
    copies = int((frame["copy"] > 0).sum()) if "copy" in frame else 0
    text = _many(len(frame) - copies, "image")
    if copies:
        text += f" and {_many(copies, 'augmented copy', 'augmented copies')}"
    return text + (f" of {_many(frame['lesion_id'].nunique(), 'lesion')}" if lesions else "")


def _many(number: int, one: str, several: str = "") -> str:
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"


def counts_table(splits: pd.DataFrame) -> pd.DataFrame:
    """Count images, and in brackets lesions, of each part and class."""
    classes = list(dict.fromkeys(splits["label"].sort_values()))
    rows = []
    for part in PARTS:
        own = splits[splits["part"] == part]
        row: dict[str, Any] = {"part": part}
        for name in classes:
            row[name] = _counted(own[own["label"] == name])
        rows.append(row | {"all": _counted(own)})
    return pd.DataFrame(rows)


def _counted(frame: pd.DataFrame) -> str:
    return f"{len(frame):,} ({frame['lesion_id'].nunique():,})"


def accuracy(results: Results, smallest: Record | None, splits: pd.DataFrame) -> list[Kept]:
    """Lay out each metric of the test part: unpruned on every variant, then the smallest network.

    Parameters
    ----------
    results : Results
        What the stages left.
    smallest : mapping or None
        The record of the smallest accepted network; without one the first network is shown.
    splits : DataFrame
        ``part``, ``label``, ``lesion_id``, ``copy`` of each image.
    """
    network = smallest["network"] if smallest else results.baselines[0]["network"]
    records: dict[str, Record] = {
        f"unpruned, {record['variant']} images": record
        for record in results.baselines
        if record["network"] == network
    }
    if smallest is not None and smallest["notation"] != results.unpruned(network)["notation"]:
        records[f"{smallest['notation']}, {smallest['variant']} images"] = smallest
    test = splits[splits["part"] == "test"]
    return [
        Kept(label, found, *_behind(metric, test))
        for metric, label in SHOWN.items()
        if (found := _estimates(records, f"test_{metric}"))
    ]


def _estimates(records: Mapping[str, Record], metric: str) -> list[Estimate]:
    found = []
    for who, record in records.items():
        value = record["metrics"].get(metric)
        if value is not None and pd.notna(value):
            low, high = record.get("intervals", {}).get(metric, (float("nan"), float("nan")))
            found.append(Estimate(who, value, low, high))
    return found


def _behind(metric: str, test: pd.DataFrame) -> tuple[str, str]:
    """Say which images of the test part a metric stands on, and what they are too few for."""
    classes = dict(iter(test.groupby("label")))
    rarest = min(classes, key=lambda name: classes[name]["lesion_id"].nunique())
    if metric == "melanoma_sensitivity":
        own = classes[MELANOMA]
        return f"On {stands_on(own)}: the test part's melanomas.", _caution(own, 1 / len(own))
    said = f"On {stands_on(test)}: the test part."
    if metric == "accuracy":
        return said, _caution(test, 1 / len(test))
    few, whose = classes[rarest], f" of the rarest class, {rarest},"
    # AUROC counts ranks, of which a single image's share depends on the others.
    step = 1 / (len(classes) * len(few)) if metric == "balanced_accuracy" else None
    return said, _caution(few, step, whose)


def _caution(frame: pd.DataFrame, step: float | None, whose: str = "") -> str:
    """Warn of few lesions; `step` is by how much one image moves the metric."""
    lesions = frame["lesion_id"].nunique()
    if lesions >= MIN_LESIONS:
        return ""
    said = f"{_many(lesions, 'lesion')}{whose} cannot show much"
    return f"{said}." if step is None else f"{said}: one image moves this by {step:.3g}."
