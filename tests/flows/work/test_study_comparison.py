"""Methods of a study beside the unpruned network, the control and other variants."""

import itertools

import numpy as np
import pandas as pd
import pytest

from slimderm.flows.config.params import EvaluateSettings
from slimderm.flows.work.study_comparison import StudyComparison

LABELS = np.arange(120) % 3
SETTINGS = EvaluateSettings(bootstrap_samples=200)
# arm: init and, for each variant, images of the 120 that each of two seeds has wrong.
ARMS = {
    ("unpruned", ""): {"original": (12, 18), "compressed": (15, 15)},
    ("l1 inherit local", "inherit"): {"original": (12, 12), "compressed": (60, 66)},
    ("control", "inherit"): {"original": (6, 6), "compressed": (15, 15)},
    ("paper", "scratch"): {"original": (12, 18), "compressed": (15, 15)},
}


def predictions(wrong):
    """One-hot, with so many images wrong, the same number of each class."""
    return np.eye(3)[np.where(np.arange(120) < wrong, (LABELS + 1) % 3, LABELS)]


@pytest.fixture(scope="module")
def compared():
    rows, probabilities = [], []
    for (arm, init), variant, seed in itertools.product(ARMS, ("original", "compressed"), (0, 1)):
        pruned = arm != "unpruned"
        place = {"variant": variant, "seed": seed, "arm": arm, "init": init}
        place |= {"ratio": 0.5 * pruned, "schedule": "path" if pruned else "", "sparsity": np.nan}
        costs = dict.fromkeys(("num_parameters", "multiply_accumulates", "bytes"), 100 + seed)
        rows.append(place | costs | {"latency_p50_ms": 1, "training_seconds": 1})
        probabilities.append(predictions(ARMS[arm, init][variant][seed]))
    lesions = np.arange(120).astype(str)
    kept = {"probabilities": np.stack(probabilities), "labels": LABELS, "lesions": lesions}
    return StudyComparison(pd.DataFrame(rows), kept, 1, SETTINGS)


def test_the_summary_is_the_mean_over_seeds(compared):
    summary = compared.summary().set_index(["variant", "method"])
    row = summary.loc["original", "unpruned"]
    assert row["balanced_accuracy"] == pytest.approx(1 - 15 / 120)
    assert row["balanced_accuracy_low"] < row["balanced_accuracy"] < row["balanced_accuracy_high"]
    assert row["num_parameters"] == 100.5
    assert row["num_seeds"] == 2


def test_what_inherits_is_compared_with_the_control_and_what_starts_afresh_is_not(compared):
    differences = compared.differences()
    against = differences.groupby("method")["against"].agg(set)
    others = {"original", "compressed"}
    costs = {f"what pruning cost on {name}" for name in others}
    assert against["unpruned"] == others
    assert against["l1 inherit local"] == {"unpruned", "control"} | others | costs
    assert against["control"] == against["paper"] == {"unpruned"} | others | costs


def test_differences_and_their_verdicts(compared):
    places = ["variant", "method", "against"]
    differences = compared.differences().set_index(places)
    difference, verdict = differences["balanced_accuracy"], differences["verdict"]
    l1 = "l1 inherit local"
    assert difference["original", l1, "unpruned"] == pytest.approx(3 / 120)
    assert difference["original", l1, "control"] == pytest.approx(-6 / 120)
    assert difference["compressed", l1, "control"] == pytest.approx(-48 / 120)
    assert verdict["compressed", l1, "control"] == "inferior"
    assert verdict["original", "paper", "unpruned"] == "non-inferior"
    cost = difference["compressed", l1, "what pruning cost on original"]
    assert cost == pytest.approx(-48 / 120 - 3 / 120)
    assert pd.isna(verdict["compressed", l1, "what pruning cost on original"])


def test_seeds_widen_the_interval(compared):
    summary = compared.summary().set_index(["variant", "method"])
    width = summary["balanced_accuracy_high"] - summary["balanced_accuracy_low"]
    assert width["compressed", "l1 inherit local"] > width["original", "control"]
