import math

import pytest

from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.acceptance import ACCEPTANCE, get
from slimderm.components.pruning.verdict import Case, Thresholds, Verdict

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
RULES = [name for name in ACCEPTANCE if name != "noninferior"]  # by thresholds


def judge(name: str, metrics, baseline, thresholds=THRESHOLDS) -> Verdict:
    return get(name).judge(Case(metrics, baseline, thresholds))


@pytest.mark.parametrize("name", RULES)
def test_metrics_exactly_on_every_threshold_are_accepted(name: str) -> None:
    verdict = judge(name, GOOD, BASELINE)
    assert verdict.accepted
    assert verdict.reason.startswith("every threshold met")


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("key", [key for key in GOOD if not key.startswith("test")])
@pytest.mark.parametrize("value", [0.799, math.nan])
def test_one_threshold_missed_refuses_and_is_named(name: str, key: str, value: float) -> None:
    baseline = dict.fromkeys(BASELINE, 0.99)
    metrics = {**dict.fromkeys(GOOD, 0.99), key: value}
    verdict = judge(name, metrics, baseline)
    assert not verdict.accepted
    threshold = 0.9 if key.startswith("train") else 0.8
    assert verdict.reason == f"missed: {key} {value:.4f} < {threshold:.4f}"


@pytest.mark.parametrize("key", ["test_accuracy", "test_precision", "test_recall"])
def test_only_the_papers_rule_looks_at_test(key: str) -> None:
    metrics = {**GOOD, key: BASELINE[key] - 0.021}
    assert not judge("paper", metrics, BASELINE).accepted
    assert key in judge("paper", metrics, BASELINE).reason
    assert judge("validation", metrics, BASELINE).accepted
    assert judge("relative", metrics, BASELINE).accepted


def test_validation_needs_no_test_metrics_at_all() -> None:
    metrics = {key: value for key, value in GOOD.items() if not key.startswith("test")}
    assert judge("validation", metrics, {}).accepted
    with pytest.raises(ParameterError, match="test_accuracy"):
        judge("paper", metrics, BASELINE)


def test_relative_lowers_only_the_threshold_that_the_baseline_misses_and_says_so() -> None:
    baseline = {**GOOD, "validation_accuracy": 0.74}
    lower = {**GOOD, "validation_accuracy": 0.72}
    verdict = judge("relative", lower, baseline)
    assert verdict.accepted
    assert "validation_accuracy 0.7200 >= 0.7200" in verdict.reason
    assert "threshold 0.8000 lowered: the baseline has 0.7400" in verdict.reason
    assert "train_accuracy 0" not in verdict.reason
    assert not judge("validation", lower, baseline).accepted
    refused = judge("relative", {**lower, "validation_accuracy": 0.719}, baseline)
    assert not refused.accepted
    assert "0.7190 < 0.7200 (threshold 0.8000 lowered" in refused.reason


def test_relative_keeps_the_threshold_where_the_baseline_is_far_above_it() -> None:
    baseline = dict.fromkeys(GOOD, 0.99)
    assert judge("relative", GOOD, baseline).accepted


def test_bars_are_parameters() -> None:
    shallow = Thresholds(validation=0.75)
    metrics = {**GOOD, "validation_accuracy": 0.75, "validation_precision": 0.75}
    assert judge("validation", metrics, {}, shallow).accepted
    assert not judge("validation", metrics, {}).accepted


def test_missing_metrics_and_unknown_arms_are_errors() -> None:
    with pytest.raises(ParameterError, match="expected train_accuracy"):
        judge("validation", {"accuracy": 1.0}, {})
    with pytest.raises(ParameterError, match="noninferior, paper, validation, relative"):
        get("strict")


def test_relative_lowers_no_threshold_below_the_floor() -> None:
    chance = dict.fromkeys(GOOD, 0.25)
    thresholds = Thresholds(relative_floor=0.5)
    refused = judge("relative", chance, chance, thresholds)
    assert not refused.accepted
    assert "less 0.02, but not below 0.5" in refused.reason
    assert judge("relative", dict.fromkeys(chance, 0.5), chance, thresholds).accepted
    low = Thresholds(validation=0.4, relative_floor=0.5)
    assert "validation_accuracy 0.2500 < 0.4000" in judge("relative", chance, chance, low).reason
