"""A study's tables: every network, seeds joined, methods compared on the same lesions."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from slimderm.components.evaluation.comparison import Comparison, rows_of
from slimderm.components.reporting.pruning_fronts import METRICS
from slimderm.flows.config.params import Params
from slimderm.flows.work.training import TrainingRun

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
    """

    variant: str
    seed: int
    arm: str
    schedule: str
    ratio: float
    trained: TrainingRun
    trainings: tuple[TrainingRun, ...]
    sparsity: float = math.nan


def table(runs: Sequence[StudyRun]) -> pd.DataFrame:
    """Lay out one row a network: where it comes from, what it costs, what it is worth on test."""
    rows = []
    for run in runs:
        record = run.trained.record
        row: dict[str, Any] = {
            name: getattr(run, name) for name in ("variant", "seed", "arm", "schedule", "ratio")
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
    arms = set(summary["method"]) - {"unpruned"}
    if len(arms) == 1:
        return summary.assign(method=summary["variant"])
    kept = summary[summary["method"] != "unpruned"]
    return kept.assign(method=kept["method"] + ", " + kept["variant"])


def predictions(runs: Sequence[StudyRun]) -> dict[str, np.ndarray]:
    """Gather the probabilities of every network, (R, N, C), with labels and lesions."""
    found = [np.load(run.trained.judgement["predictions"]) for run in runs]
    return {
        "probabilities": np.stack([each["probabilities"] for each in found]),
        "labels": found[0]["labels"],
        "lesions": found[0]["lesions"],
    }


def summarise(
    rows: pd.DataFrame, kept: Mapping[str, np.ndarray], melanoma: int | None, params: Params
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Join the seeds of each network, and compare methods and variants on the same lesions.

    Returns
    -------
    summary : DataFrame
        One row a variant, method (column ``method``) and ratio: mean costs, and each metric's
        mean over seeds with its interval.
    differences : DataFrame
        ``against`` the unpruned network of the same variant, the same method on other variants, and
        what pruning cost there: each metric's difference with its interval.
    """
    settings = params.evaluate
    comparison = Comparison(
        kept["labels"],
        kept["lesions"],
        melanoma=melanoma,
        num_samples=settings.bootstrap_samples,
        confidence=settings.confidence,
        seed=settings.seed,
    )
    rows = rows.assign(method=method_names(rows))
    summary, values = [], {}
    for (variant, method, ratio), members in rows.groupby(
        ["variant", "method", "ratio"], sort=False
    ):
        found = comparison.metrics(kept["probabilities"][members.index.to_numpy()])
        values[variant, method, ratio] = found
        place = {"variant": variant, "method": method, "ratio": ratio, "num_seeds": len(members)}
        costs = {name: float(members[name].mean()) for name in ("sparsity", *KEPT)}
        spans = {name: comparison.interval(value) for name, value in found.items()}
        summary.append(place | costs | rows_of(METRICS, spans))
    differences = []
    for (variant, method, ratio), against, found in _contrasts(values):
        spans = {name: comparison.interval(value) for name, value in found.items()}
        place = {"variant": variant, "method": method, "ratio": ratio, "against": against}
        differences.append(place | rows_of(METRICS, spans))
    return pd.DataFrame(summary), pd.DataFrame(differences)


def _contrasts(
    values: Mapping[tuple[str, str, float], dict[str, Any]],
) -> Iterator[tuple[tuple[str, str, float], str, dict[str, Any]]]:
    """Yield each network with what it is measured against, and the difference of each metric."""

    def minus(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value - second[name] for name, value in first.items()}

    for place, found in values.items():
        variant, method, ratio = place
        whole = values[variant, "unpruned", 0.0]
        if method != "unpruned":
            yield place, "unpruned", minus(found, whole)
        for other, *rest in values:
            if other == variant or rest != [method, ratio]:
                continue
            there = values[other, method, ratio]
            yield place, other, minus(found, there)
            if method != "unpruned":  # does pruning cost more here than there?
                elsewhere = minus(there, values[other, "unpruned", 0.0])
                yield place, f"what pruning cost on {other}", minus(minus(found, whole), elsewhere)
