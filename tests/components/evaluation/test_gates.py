"""Gates: non-inferiority on the same lesions, and limits."""

import numpy as np
import pytest

from slimderm.components.common.errors import ParameterError, SchemaError
from slimderm.components.evaluation import gates
from slimderm.components.evaluation.gates import (
    GateSettings,
    Limit,
    Margin,
    judge,
    power,
    sentence,
    word_of,
)
from slimderm.components.pruning.settings import PruneSettings
from slimderm.flows.config.registry_policy import read_registry

SMALL = {"bytes": 1000, "latency_ms": 1.0}


def part(number, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, number)
    return labels, np.array([f"L{index // 2}" for index in range(number)])


def right(labels, share, seed):
    """One-hot probabilities that are right in a share of the images."""
    random = np.random.default_rng(seed)
    wrong = random.random(len(labels)) > share
    return np.eye(3)[np.where(wrong, (labels + 1) % 3, labels)]


def checks_of(labels, lesions, challenger, reference, settings=None, costs=SMALL):
    found = judge(
        {"challenger": challenger, "reference": reference},
        labels,
        lesions,
        costs,
        settings or GateSettings(),
        melanoma=1,
    )
    return {check.name: check for check in found}


def test_networks_that_agree_everywhere_pass_on_many_images_and_prove_nothing_on_few():
    for number, word in ((400, "passed"), (12, "inconclusive")):
        labels, lesions = part(number)
        same = right(labels, 0.6, 0)
        checks = list(checks_of(labels, lesions, same, same).values())
        assert checks[0].low < 0 < checks[0].high
        assert checks[0].challenger == checks[0].reference
        assert word_of(checks) == word
        assert (sentence(checks) == "all gates passed") == (word == "passed")


def test_one_as_good_on_few_lesions_cannot_show_it_and_on_many_it_can():
    for number, word in ((60, "inconclusive"), (6000, "passed")):
        labels, lesions = part(number)
        pair = right(labels, 0.8, 1), right(labels, 0.8, 2)
        check = checks_of(labels, lesions, *pair)["balanced_accuracy"]
        assert check.word == word
        assert check.passed == (word == "passed")


def test_a_gate_that_fails_outweighs_one_that_cannot_tell():
    labels, lesions = part(60)
    pair = right(labels, 0.8, 1), right(labels, 0.8, 2)
    checks = list(checks_of(labels, lesions, *pair).values())
    assert word_of(checks) == "inconclusive"
    assert "balanced_accuracy is inconclusive, too few images can tell" in sentence(checks)
    heavy = checks_of(labels, lesions, *pair, costs=SMALL | {"bytes": 2e9})
    assert word_of(list(heavy.values())) == "failed"


def test_acceptance_and_gates_have_the_same_margins():
    policy, prune = read_registry("mlflow/registry.yaml").gates, PruneSettings()
    for settings in (GateSettings(), policy, prune):
        assert settings.balanced_accuracy_margin == 0.05
        assert settings.melanoma_sensitivity_margin == 0.10


def test_gates_say_what_the_part_can_resolve():
    """The audit: 33 % on 225 images, 14 % on 75 melanomas at 0.05."""
    labels = np.repeat([0, 1, 2], 75)
    lesions = np.arange(225).astype(str)
    narrow = GateSettings(melanoma_sensitivity_margin=0.05)
    assert power(labels, lesions, narrow, melanoma=1) == (
        "225 images of 225 lesions can resolve 0.05 of balanced accuracy with probability 0.33 "
        "and 0.05 of melanoma sensitivity with probability 0.14"
    )


def test_melanomas_alone_can_fail_the_gate():
    labels, lesions = part(3000)
    reference = right(labels, 0.9, 1)
    challenger = right(labels, 1.0, 2)
    challenger[labels == 1] = right(labels, 0.7, 3)[labels == 1]
    checks = checks_of(labels, lesions, challenger, reference)
    assert checks["balanced_accuracy"].passed
    assert not checks["melanoma_sensitivity"].passed
    recall = [(values.argmax(1) == 1)[labels == 1].mean() for values in (challenger, reference)]
    assert checks["melanoma_sensitivity"].challenger == pytest.approx(recall[0])
    assert checks["melanoma_sensitivity"].reference == pytest.approx(recall[1])
    assert checks["melanoma_sensitivity"].word == "failed"
    assert "melanoma_sensitivity is inferior: difference -0." in sentence(list(checks.values()))


def test_the_interval_is_that_of_the_paired_difference():
    """Against a loop over resampled lesions."""
    labels, lesions = part(200)
    pair = right(labels, 0.9, 1), right(labels, 0.7, 2)
    check = checks_of(labels, lesions, *pair, settings=GateSettings(bootstrap_samples=4000))
    random, names = np.random.default_rng(5), np.unique(lesions)
    differences = []
    for _ in range(2000):
        drawn = random.choice(names, len(names))
        rows = np.concatenate([np.flatnonzero(lesions == name) for name in drawn])
        scores = [
            np.mean([(v.argmax(1) == labels)[rows][labels[rows] == c].mean() for c in range(3)])
            for v in pair
        ]
        differences.append(scores[0] - scores[1])
    low, high = np.quantile(differences, (0.025, 0.975))
    assert check["balanced_accuracy"].low == pytest.approx(low, abs=0.02)
    assert check["balanced_accuracy"].high == pytest.approx(high, abs=0.02)


def test_size_and_latency_have_limits():
    labels, lesions = part(400)
    same = right(labels, 0.9, 0)
    costs = {"bytes": 2e9, "latency_ms": 1.0}
    checks = checks_of(labels, lesions, same, same, costs=costs)
    assert not checks["bytes"].passed
    assert checks["latency_ms"].passed
    assert sentence(list(checks.values())) == "bytes is 2,000,000,000, above 10,000,000"


def test_a_gate_is_added_by_one_line(monkeypatch):
    monkeypatch.setitem(gates.GATES, "accuracy", Margin("balanced_accuracy_margin"))
    monkeypatch.setitem(gates.GATES, "num_parameters", Limit("max_bytes"))
    labels, lesions = part(3000)
    pair = right(labels, 0.5, 1), right(labels, 0.9, 2)
    costs = SMALL | {"num_parameters": 2e7}
    checks = checks_of(labels, lesions, *pair, costs=costs)
    own, other = ((values.argmax(1) == labels).mean() for values in pair)
    assert checks["accuracy"].challenger == pytest.approx(own)
    assert checks["accuracy"].reference == pytest.approx(other)
    assert not checks["accuracy"].passed
    assert not checks["num_parameters"].passed
    assert "num_parameters is 20,000,000, above 10,000,000" in sentence(list(checks.values()))


def test_bad_input_is_refused():
    labels, lesions = part(20)
    with pytest.raises(SchemaError, match="20 labels"):
        checks_of(labels, lesions, np.ones((19, 3)), np.ones((20, 3)))
    with pytest.raises(ParameterError, match="balanced_accuracy_margin"):
        GateSettings(balanced_accuracy_margin=-0.1)


def test_a_gate_of_a_class_of_ones_own_is_judged_with_the_others(monkeypatch):
    class Cheaper:
        def check(self, name, evidence, settings):
            cost = evidence.costs["euros"]
            return gates.Check(name, passed=cost < 2, challenger=cost, limit=2)

    labels, lesions = part(40)
    same = right(labels, 0.6, 0)
    monkeypatch.setitem(gates.GATES, "cheaper", Cheaper())
    for euros, passed in ((1, True), (3, False)):
        found = checks_of(labels, lesions, same, same, costs=SMALL | {"euros": euros})
        assert list(found) == list(gates.GATES)
        assert found["cheaper"].passed is passed
