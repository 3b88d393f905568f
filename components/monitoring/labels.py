"""Labels that come later: read a table of them, join them with what was predicted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from slimderm.components.common.errors import SchemaError
from slimderm.components.dataset.metadata import read_text
from slimderm.components.evaluation.subgroups import MIN_LESIONS, measured

ID, DIAGNOSIS, LESION = "prediction_id", "diagnosis", "lesion_id"
NEEDED = (ID, DIAGNOSIS)
KEPT = (ID, LESION, DIAGNOSIS, "label", "model", "at", "predicted", "confidence")
SHOWN = 5  # faults that a message lists
MELANOMA = "melanoma"
UNDEFINED = (float("nan"),) * 3
FIGURES = ("accuracy", "balanced_accuracy", "melanoma_sensitivity")


@dataclass(frozen=True)
class Delivery:
    """A table of labels, checked.

    Attributes
    ----------
    labels : DataFrame
        Columns `KEPT`, all text but ``confidence``: what is new.
    known : int
        Rows whose label was there already.
    empty : int
        Rows without an id or a diagnosis: not labelled yet.
    corrected : int
        Rows of ``labels`` that replace another label.
    """

    labels: pd.DataFrame
    known: int
    empty: int
    corrected: int


def read_delivery(
    path: Path,
    words: Mapping[str, str],
    inputs: pd.DataFrame,
    before: pd.DataFrame,
    *,
    correct: bool = False,
) -> Delivery:
    """Read and check a table of labels.

    Parameters
    ----------
    path : path
        Columns ``prediction_id`` and ``diagnosis``, and ``lesion_id`` where several images may show
        one lesion; others are not read.
    words : mapping
        A diagnosis in lower case, or a class's name, to the class.
    inputs : DataFrame
        The record: ``prediction_id``, ``model``, ``at``, ``predicted``, ``confidence``.
    before : DataFrame
        Labels that are known, columns `KEPT`; one a prediction.
    correct : bool
        Whether a label may replace another one of the same prediction.

    Raises
    ------
    SchemaError
        If the table lacks a column, a diagnosis belongs to no class, an id is not in the record, or
        labels contradict each other or those that are known: all of these, the first five of each.
    """
    table = read_text(path).fillna("")
    missing = [name for name in NEEDED if name not in table]
    if missing:
        raise SchemaError(
            f"{path}: received columns {', '.join(table)}, expected {' and '.join(NEEDED)}, and "
            f"{LESION} where several images show one lesion"
        )
    table = table.assign(**{LESION: table.get(LESION, "")})
    given = table[(table[ID] != "") & (table[DIAGNOSIS] != "")]
    rows = given[[ID, LESION, DIAGNOSIS]].assign(row=given.index + 2)
    rows["label"] = rows[DIAGNOSIS].str.casefold().map(words)
    rows = rows.merge(inputs[[ID, "model", "at", "predicted", "confidence"]], on=ID, how="left")
    known = rows.merge(before[[ID, "label", LESION]], on=ID, how="left", suffixes=("", "_before"))
    _check(path, known, before, words, correct=correct)
    same = (known["label"] == known["label_before"]) & (known[LESION] == known["lesion_id_before"])
    new = known[~same].drop_duplicates(ID)
    return Delivery(
        new[list(KEPT)].reset_index(drop=True),
        known=int(same.sum()),
        empty=len(table) - len(given),
        corrected=int(new["label_before"].notna().sum()),
    )


def _check(
    path: Path,
    rows: pd.DataFrame,
    before: pd.DataFrame,
    words: Mapping[str, str],
    *,
    correct: bool,
) -> None:
    """Gather what is wrong with a table of labels, and say it at once."""
    own = rows.groupby(ID)["label"].transform("nunique") > 1
    rest = before[~before[ID].isin(rows[ID])]
    both = pd.concat([rows[[LESION, "label"]], rest[[LESION, "label"]]])
    torn = both[both[LESION] != ""].groupby(LESION)["label"].nunique()
    lesion = rows[LESION].isin(torn.index[torn > 1])
    other = rows["label_before"].notna() & rows["label"].notna()
    other &= (rows["label"] != rows["label_before"]) & (not correct)
    expected = ", ".join(sorted(words))
    faults = {
        f"a diagnosis of no class, expected one of {expected}": rows["label"].isna(),
        "an id that is not in the record of inputs": rows["model"].isna(),
        "one prediction with two labels": own,
        "one lesion with two labels": lesion & ~own,
        "another label than is known; CORRECT=1 (--correct) replaces the known": other & ~own,
    }
    said = [f"{reason}: {_rows(rows[mask])}" for reason, mask in faults.items() if mask.any()]
    if said:
        raise SchemaError(f"{path}: nothing was kept. Received " + "\nand ".join(said))


def _rows(rows: pd.DataFrame) -> str:
    """List the first rows, as they stand in the file."""
    shown = [
        f"row {each.row} ({each.prediction_id[:8]}, {each.diagnosis})"
        for each in rows.head(SHOWN).itertuples()
    ]
    more = len(rows) - SHOWN
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def accuracy_table(
    labels: pd.DataFrame, *, num_samples: int, confidence: float, seed: int
) -> pd.DataFrame:
    """Judge predictions by the labels that came: of all of them, and month by month.

    Parameters
    ----------
    labels : DataFrame
        Columns `KEPT`, of one version; one a prediction.
    num_samples, confidence, seed
        Of the bootstrap over lesions; an image without ``lesion_id`` is a lesion of its own.

    Returns
    -------
    DataFrame
        ``when`` (``all``, or a month), ``figure`` (`FIGURES`), ``value``, ``low``, ``high``,
        ``num_images``, ``num_lesions`` (for the sensitivity, of melanoma). With fewer than 20
        lesions there is no value, and ``note`` says so.
    """
    months = labels["at"].str[:7]
    parts = {"all": labels, **{month: labels[months == month] for month in sorted(set(months))}}
    resampling = {"num_samples": num_samples, "confidence": confidence, "seed": seed}
    return pd.DataFrame(
        [{"when": when} | row for when, part in parts.items() for row in _figures(part, resampling)]
    )


def _figures(labels: pd.DataFrame, resampling: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    classes = sorted({*labels["label"], *labels["predicted"]})
    lesions = labels[LESION].where(labels[LESION] != "", labels[ID]).to_numpy(str)
    actual = pd.Categorical(labels["label"], classes).codes.astype(np.int64)
    predicted = pd.Categorical(labels["predicted"], classes).codes
    melanoma = classes.index(MELANOMA) if MELANOMA in set(labels["label"]) else None
    answers = np.eye(len(classes))[predicted]  # (N, C): shares are not on record
    found = measured(actual, answers, lesions, melanoma=melanoma, **resampling)
    for name in FIGURES:
        own = actual == melanoma if name == "melanoma_sensitivity" else actual >= 0
        count = len(set(lesions[own]))
        value, low, high = found.get(name, UNDEFINED) if count >= MIN_LESIONS else UNDEFINED
        few = "" if count >= MIN_LESIONS else f"fewer than {MIN_LESIONS} lesions: too few to tell"
        yield {
            "figure": name,
            "value": value,
            "low": low,
            "high": high,
            "num_images": int(own.sum()),
            "num_lesions": count,
            "note": few,
        }
