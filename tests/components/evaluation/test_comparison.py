"""Networks compared on the same lesions, against the single-network bootstrap and by hand."""

import numpy as np
import pytest

from slimderm.components.common.errors import ParameterError, SchemaError
from slimderm.components.evaluation.bootstrap import bootstrap_intervals
from slimderm.components.evaluation.comparison import Comparison, rows_of
from slimderm.components.evaluation.metrics import classification_metrics


@pytest.fixture
def part():
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 60)
    lesions = np.array([f"l{index // 2}" for index in range(60)])
    good = random.random((2, 60, 3)) + 1.2 * np.eye(3)[labels]
    poor = random.random((2, 60, 3)) + 0.3 * np.eye(3)[labels]
    return labels, lesions, *(x / x.sum(-1, keepdims=True) for x in (good, poor))


def pooled(comparison, probabilities):
    """Each metric of the seeds together."""
    return {n: comparison.pooled(v) for n, v in comparison.by_seed(probabilities).items()}


def test_one_seed_agrees_with_the_bootstrap_of_a_single_network(part):
    labels, lesions, _, poor = part  # right and wrong in every class
    comparison = Comparison(labels, lesions, melanoma=1, num_samples=2000, seed=5)
    found = {n: comparison.interval(v) for n, v in pooled(comparison, poor[:1]).items()}
    values = classification_metrics(labels, poor[0], melanoma=1)
    intervals = bootstrap_intervals(labels, poor[0], lesions, melanoma=1, num_samples=2000, seed=1)
    for name, (value, low, high) in found.items():
        assert value == pytest.approx(values[name])
        assert (low, high) == pytest.approx(intervals[name], abs=0.03)


def test_seeds_are_averaged(part):
    labels, lesions, good, _ = part
    comparison = Comparison(labels, lesions, num_samples=10)
    both = pooled(comparison, good)["accuracy"][0]
    assert both == pytest.approx(np.mean([(g.argmax(1) == labels).mean() for g in good]))


def test_a_network_does_not_differ_from_itself_and_a_better_one_does(part):
    labels, lesions, good, poor = part
    comparison = Comparison(labels, lesions, num_samples=500)
    one, other = pooled(comparison, good), pooled(comparison, poor)
    assert comparison.interval(one["accuracy"] - one["accuracy"]) == (0, 0, 0)
    value, low, high = comparison.interval(one["accuracy"] - other["accuracy"])
    assert 0 < low < value < high


def test_paired_intervals_are_narrower_than_those_of_strangers(part):
    labels, lesions, _, poor = part
    nearly = poor[:1].copy()
    nearly[0, :3] = nearly[0, :3, ::-1]
    comparison = Comparison(labels, lesions, num_samples=500)
    one = pooled(comparison, poor[:1])["accuracy"]
    other = pooled(comparison, nearly)["accuracy"]
    _, low, high = comparison.interval(one - other)
    _, own_low, own_high = comparison.interval(one)
    assert high - low < 0.7 * (own_high - own_low)


def test_columns_and_errors(part):
    labels, lesions, _, _ = part
    assert rows_of(["a", "b"], {"a": (1.0, 0.5, 1.5)}) == {"a": 1.0, "a_low": 0.5, "a_high": 1.5}
    with pytest.raises(ParameterError, match="received 0 samples"):
        Comparison(labels, lesions, num_samples=0)
    with pytest.raises(SchemaError, match="3 lesions"):
        Comparison(labels, lesions[:3])
