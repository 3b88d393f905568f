import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as oracle

from slimderm.components.common.errors import ParameterError, SchemaError
from slimderm.components.evaluation.bootstrap import bootstrap_intervals
from slimderm.components.evaluation.metrics import classification_metrics, confusion_matrix


def answers(seed, size=80, num_classes=4):
    random = np.random.default_rng(seed)
    labels = random.integers(0, num_classes, size)
    labels[:num_classes] = range(num_classes)
    scores = random.random((size, num_classes)) + 0.8 * np.eye(num_classes)[labels]
    return labels, scores / scores.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(5))
def test_every_metric_agrees_with_scikit_learn(seed):
    labels, probabilities = answers(seed)
    predicted = probabilities.argmax(axis=1)
    found = classification_metrics(labels, probabilities, melanoma=2)
    recalls = oracle.recall_score(labels, predicted, average=None)
    expected = {
        "accuracy": oracle.accuracy_score(labels, predicted),
        "precision": oracle.precision_score(labels, predicted, average="macro", zero_division=0),
        "recall": oracle.recall_score(labels, predicted, average="macro"),
        "balanced_accuracy": oracle.balanced_accuracy_score(labels, predicted),
        "auroc": oracle.roc_auc_score(labels, probabilities, multi_class="ovr"),
        "melanoma_sensitivity": recalls[2],
    }
    assert found == pytest.approx(expected)
    matrix = confusion_matrix(labels, probabilities)
    assert np.array_equal(matrix, oracle.confusion_matrix(labels, predicted))


def test_ties_count_half_in_auroc():
    labels = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.5, 0.5]] * 3 + [[0.2, 0.8]])
    expected = oracle.roc_auc_score(labels, probabilities[:, 1])
    assert classification_metrics(labels, probabilities)["auroc"] == pytest.approx(expected)


def test_intervals_resample_lesions_and_not_images():
    labels, probabilities = answers(0, size=60)
    lone = np.array([f"L{index}" for index in range(60)])
    narrow = bootstrap_intervals(labels, probabilities, lone, melanoma=0, num_samples=400, seed=1)
    # Four images of each lesion say no more than one does.
    four = [np.repeat(part, 4, axis=0) for part in (labels, probabilities, lone)]
    same = bootstrap_intervals(*four, melanoma=0, num_samples=400, seed=1)
    for name, (low, high) in narrow.items():
        assert same[name] == pytest.approx((low, high)), name
    split = [four[0], four[1], np.array([f"I{index}" for index in range(240)])]
    apart = bootstrap_intervals(*split, melanoma=0, num_samples=400, seed=1)
    width, wide = (np.subtract(*part["accuracy"][::-1]) for part in (apart, same))
    assert width < 0.7 * wide


def test_intervals_hold_the_value_and_follow_the_seed_and_the_confidence():
    labels, probabilities = answers(3)
    lesions = np.array([f"L{index // 2}" for index in range(len(labels))])
    value = classification_metrics(labels, probabilities, melanoma=1)
    found = bootstrap_intervals(labels, probabilities, lesions, melanoma=1, seed=0)
    again = bootstrap_intervals(labels, probabilities, lesions, melanoma=1, seed=0)
    tight = bootstrap_intervals(labels, probabilities, lesions, melanoma=1, confidence=0.5)
    assert found == again
    for name, (low, high) in found.items():
        assert low <= value[name] <= high
        assert low <= tight[name][0] <= tight[name][1] <= high


def test_bootstrap_standard_error_is_the_textbooks():
    labels = np.zeros(400, int)
    labels[:200] = 1
    right = np.random.default_rng(0).random(400) < 0.8
    predicted = np.where(right, labels, 1 - labels)
    lesions = np.array([f"L{index}" for index in range(400)])
    low, high = bootstrap_intervals(
        labels, np.eye(2)[predicted], lesions, num_samples=2000, confidence=0.95
    )["accuracy"]
    share = right.mean()
    assert (high - low) / 2 == pytest.approx(1.96 * np.sqrt(share * (1 - share) / 400), rel=0.12)


@pytest.mark.parametrize(("number", "exact"), [(5, 0.478), (20, 0.832), (57, 0.937), (400, 0.991)])
def test_where_all_is_right_the_interval_is_about_the_binomials(number, exact):
    labels = np.repeat([0, 1], number)
    assert stats.binomtest(number, number).proportion_ci(0.95).low == pytest.approx(exact, abs=1e-3)
    lesions = np.array([f"L{index}" for index in range(2 * number)])
    found = bootstrap_intervals(labels, np.eye(2)[labels], lesions, melanoma=1, num_samples=4000)
    low, high = found["melanoma_sensitivity"]
    assert high == 1
    assert 1 - low == pytest.approx(1 - exact, rel=0.25)
    assert found["balanced_accuracy"][0] >= low
    assert all(low < high for low, high in found.values() if high == 1)


def test_bad_input_is_refused():
    labels, probabilities = answers(0)
    with pytest.raises(SchemaError):
        classification_metrics(labels[:-1], probabilities)
    with pytest.raises(SchemaError):
        classification_metrics(labels, probabilities * np.nan)
    with pytest.raises(ParameterError):
        classification_metrics(labels, probabilities, melanoma=9)
