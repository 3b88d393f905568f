"""A study's networks as tables: one row a network, one row an epoch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from slimderm.components.pruning.study_settings import UNPRUNED
from slimderm.flows.work.training_run import TrainingRun

KEPT = (
    "num_parameters",
    "multiply_accumulates",
    "bytes",
    "latency_p50_ms",
    "training_seconds",
)


@dataclass(frozen=True)
class StudyRun:
    """One network of a study; ``trainings`` are those after each pruning step, the last its own.

    ``sparsity`` is the share of zeros among its weights, as trained; NaN where nothing is masked.
    ``init`` says where its weights start; empty for the unpruned network.
    """

    variant: str
    seed: int
    arm: str
    schedule: str
    ratio: float
    trained: TrainingRun
    trainings: tuple[TrainingRun, ...]
    sparsity: float = math.nan
    init: str = ""


def table(runs: Sequence[StudyRun]) -> pd.DataFrame:
    """Lay out one row a network: where it comes from, what it costs, what it is worth on test."""
    rows = []
    for run in runs:
        record = run.trained.record
        row: dict[str, Any] = {
            name: getattr(run, name)
            for name in ("variant", "seed", "arm", "schedule", "ratio", "init")
        }
        row |= {"sparsity": run.sparsity, **{name: record[name] for name in KEPT}}
        row |= {"key": run.trained.key}
        row |= {name: value for name, value in run.trained.metrics.items() if "train" not in name}
        for name, (low, high) in run.trained.judgement["intervals"].items():
            row |= {f"{name}_low": low, f"{name}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def histories(runs: Sequence[StudyRun]) -> pd.DataFrame:
    """Lay out one row an epoch of every network, named as its row of the table is.

    ``cut`` counts a network's pruning steps from 1; ``epoch`` counts on over all.
    """
    found = []
    for run in runs:
        trainings = [pd.read_csv(trained.folder / "history.csv") for trained in run.trainings]
        history = pd.concat(trainings, keys=range(1, len(trainings) + 1), names=["cut"])
        history = history.reset_index("cut").reset_index(drop=True)
        history["epoch"] = history.index + 1
        for name in ("ratio", "schedule", "arm", "seed", "variant"):
            history.insert(0, name, getattr(run, name))
        found.append(history)
    return pd.concat(found, ignore_index=True)


def method_names(rows: pd.DataFrame) -> pd.Series:
    """Name the method of each row: its arm, and its schedule where there are several."""
    schedules = rows["schedule"].fillna("")
    if schedules.replace("", np.nan).nunique() < 2:
        return rows["arm"]
    return (rows["arm"] + " " + schedules.str.replace("_", "-")).str.strip()


def by_variant(summary: pd.DataFrame) -> pd.DataFrame:
    """Name methods by variant, so that one figure holds all; with one arm, unpruned is a point."""
    arms = set(summary["method"]) - {UNPRUNED}
    if len(arms) == 1:
        return summary.assign(method=summary["variant"])
    kept = summary[summary["method"] != UNPRUNED]
    return kept.assign(method=kept["method"] + ", " + kept["variant"])


def predictions(runs: Sequence[StudyRun]) -> dict[str, np.ndarray]:
    """Gather the probabilities of every network, (R, N, C), with labels and lesions."""
    found = [np.load(run.trained.judgement["predictions"]) for run in runs]
    return {
        "probabilities": np.stack([each["probabilities"] for each in found]),
        "labels": found[0]["labels"],
        "lesions": found[0]["lesions"],
    }
