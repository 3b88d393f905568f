"""Groups of people: each judged as if it were alone, and none dropped in silence."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import recall_score

from slimderm.components.evaluation.subgroups import MIN_LESIONS, age_bands, subgroup_table


@pytest.fixture(scope="module")
def drawn():
    """Labels, probabilities, lesions of two images each, and the sex of 40 + 30 + 3 lesions."""
    random = np.random.default_rng(0)
    sex = np.repeat(["female"] * 40 + ["male"] * 30 + ["unknown"] * 3, 2)
    lesions = np.repeat([f"L{number}" for number in range(73)], 2)
    labels = np.repeat(random.integers(0, 3, 73), 2)
    labels[(sex == "male") & (labels == 0)] = 1
    probabilities = random.dirichlet(np.ones(3), len(labels))
    return labels, probabilities, lesions, sex


def table(drawn):
    labels, probabilities, lesions, sex = drawn
    found = subgroup_table(
        labels, probabilities, lesions, {"sex": sex}, melanoma=0, num_samples=100, seed=0
    )
    return found.set_index("group")


def test_each_group_is_judged_by_itself(drawn):
    labels, probabilities, _, sex = drawn
    found = table(drawn)
    for name in ("female", "male"):
        chosen = sex == name
        predicted = probabilities[chosen].argmax(axis=1)
        present = np.unique(labels[chosen])
        expected = recall_score(labels[chosen], predicted, labels=present, average="macro")
        row = found.loc[name]
        assert row["balanced_accuracy"] == pytest.approx(expected)
        assert row["balanced_accuracy_low"] < expected < row["balanced_accuracy_high"]
    assert found["num_images"].to_dict() == {"female": 80, "male": 60, "unknown": 6}
    assert found["num_lesions"].to_dict() == {"female": 40, "male": 30, "unknown": 3}


def test_a_group_too_small_is_said_and_has_no_figures(drawn):
    row = table(drawn).loc["unknown"]
    assert row["note"] == f"too small to judge: fewer than {MIN_LESIONS} lesions"
    assert np.isnan(row["accuracy"])


def test_a_group_without_melanoma_is_said(drawn):
    found = table(drawn)
    assert found.loc["male", "note"] == "no melanoma in it"
    assert np.isnan(found.loc["male", "melanoma_sensitivity"])
    assert found.loc["female", "note"] == ""


def test_bands_hold_the_years_that_they_name():
    ages = pd.Series([0, 29.9, 30, 44, 45, 59, 60, 74, 75, 120, np.nan])
    assert list(age_bands(ages)) == [
        "0 to 29", "0 to 29", "30 to 44", "30 to 44", "45 to 59", "45 to 59", "60 to 74",
        "60 to 74", "75 and more", "75 and more", "unknown",
    ]  # fmt: skip
