import math

import pytest

from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.acceptance import ACCEPTANCE, Thresholds, get

GOOD = {
    "train_accuracy": 0.90,
    "train_precision": 0.95,
    "validation_accuracy": 0.80,
    "validation_precision": 0.81,
    "test_accuracy": 0.70,
    "test_precision": 0.70,
    "test_recall": 0.70,
}
BASELINE = {**GOOD, "test_accuracy": 0.72, "test_precision": 0.71, "test_recall": 0.60}
THRESHOLDS = Thresholds()


@pytest.mark.parametrize("name", ACCEPTANCE)
def test_metrics_exactly_on_every_threshold_are_accepted(name: str) -> None:
    verdict = get(name).judge(GOOD, BASELINE, THRESHOLDS)
    assert verdict.accepted
    assert verdict.reason.startswith("every threshold met")


@pytest.mark.parametrize("name", ACCEPTANCE)
@pytest.mark.parametrize("key", [key for key in GOOD if not key.startswith("test")])
@pytest.mark.parametrize("value", [0.799, math.nan])
def test_one_threshold_missed_refuses_and_is_named(name: str, key: str, value: float) -> None:
    baseline = dict.fromkeys(BASELINE, 0.99)
    metrics = {**dict.fromkeys(GOOD, 0.99), key: value}
    verdict = get(name).judge(metrics, baseline, THRESHOLDS)
    assert not verdict.accepted
    threshold = 0.9 if key.startswith("train") else 0.8
    assert verdict.reason == f"missed: {key} {value:.4f} < {threshold:.4f}"


@pytest.mark.parametrize("key", ["test_accuracy", "test_precision", "test_recall"])
def test_only_the_papers_rule_looks_at_test(key: str) -> None:
    metrics = {**GOOD, key: BASELINE[key] - 0.021}
    assert not get("paper").judge(metrics, BASELINE, THRESHOLDS).accepted
    assert key in get("paper").judge(metrics, BASELINE, THRESHOLDS).reason
    assert get("validation").judge(metrics, BASELINE, THRESHOLDS).accepted
    assert get("relative").judge(metrics, BASELINE, THRESHOLDS).accepted


def test_validation_needs_no_test_metrics_at_all() -> None:
    metrics = {key: value for key, value in GOOD.items() if not key.startswith("test")}
    assert get("validation").judge(metrics, {}, THRESHOLDS).accepted
    with pytest.raises(ParameterError, match="test_accuracy"):
        get("paper").judge(metrics, BASELINE, THRESHOLDS)


def test_relative_lowers_only_the_threshold_that_the_baseline_misses_and_says_so() -> None:
    baseline = {**GOOD, "validation_accuracy": 0.74}
    lower = {**GOOD, "validation_accuracy": 0.72}
    verdict = get("relative").judge(lower, baseline, THRESHOLDS)
    assert verdict.accepted
    assert "validation_accuracy 0.7200 >= 0.7200" in verdict.reason
    assert "threshold 0.8000 lowered: the baseline has 0.7400" in verdict.reason
    assert "train_accuracy 0" not in verdict.reason
    assert not get("validation").judge(lower, baseline, THRESHOLDS).accepted
    refused = get("relative").judge({**lower, "validation_accuracy": 0.719}, baseline, THRESHOLDS)
    assert not refused.accepted
    assert "0.7190 < 0.7200 (threshold 0.8000 lowered" in refused.reason


def test_relative_keeps_the_threshold_where_the_baseline_is_far_above_it() -> None:
    baseline = dict.fromkeys(GOOD, 0.99)
    assert get("relative").judge(GOOD, baseline, THRESHOLDS).accepted


def test_bars_are_parameters() -> None:
    shallow = Thresholds(validation=0.75)
    metrics = {**GOOD, "validation_accuracy": 0.75, "validation_precision": 0.75}
    assert get("validation").judge(metrics, {}, shallow).accepted
    assert not get("validation").judge(metrics, {}, THRESHOLDS).accepted


def test_missing_metrics_and_unknown_arms_are_errors() -> None:
    with pytest.raises(ParameterError, match="expected train_accuracy"):
        get("validation").judge({"accuracy": 1.0}, {}, THRESHOLDS)
    with pytest.raises(ParameterError, match="paper, validation, relative"):
        get("strict")


def test_relative_lowers_no_threshold_below_the_floor() -> None:
    relative = get("relative").judge
    chance = dict.fromkeys(GOOD, 0.25)
    thresholds = Thresholds(relative_floor=0.5)
    refused = relative(chance, chance, thresholds)
    assert not refused.accepted
    assert "less 0.02, but not below 0.5" in refused.reason
    assert relative(dict.fromkeys(chance, 0.5), chance, thresholds).accepted
    low = Thresholds(validation=0.4, relative_floor=0.5)
    assert "validation_accuracy 0.2500 < 0.4000" in relative(chance, chance, low).reason
