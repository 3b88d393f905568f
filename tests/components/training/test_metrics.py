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


@pytest.mark.parametrize("number", [10, 20, 57, 400])
def test_where_all_is_right_the_interval_follows_the_rule_of_three(number):
    labels = np.repeat([0, 1], number)
    lesions = np.array([f"L{index}" for index in range(2 * number)])
    found = bootstrap_intervals(labels, np.eye(2)[labels], lesions, melanoma=1, num_samples=4000)
    low, high = found["melanoma_sensitivity"]
    exact = [
        stats.binomtest(number, number, alternative=sides).proportion_ci(0.95).low
        for sides in ("two-sided", "greater")
    ]
    assert high == 1
    assert exact[0] - 0.01 < low < exact[1] + 0.01
    assert low < found["balanced_accuracy"][0] < found["accuracy"][1] == 1


def test_one_error_hardly_raises_a_lower_end():
    labels = np.repeat(np.arange(4), [500, 60, 30, 20])
    lesions = np.array([f"L{index}" for index in range(len(labels))])
    right = np.eye(4)[labels]
    best = bootstrap_intervals(labels, right, lesions, melanoma=3, num_samples=4000)
    for wrong in np.cumsum([0, 500, 60, 30]):
        worse = right.copy()
        worse[wrong] = np.roll(right[wrong], 1)
        found = bootstrap_intervals(labels, worse, lesions, melanoma=3, num_samples=4000)
        for name, (low, high) in found.items():
            step = 1 / 20 if name == "melanoma_sensitivity" else 0  # its values are shares of 20
            assert low <= best[name][0] + 0.01 + step, (wrong, name)
            assert low < high, (wrong, name)


def test_a_small_class_that_is_all_right_widens_the_mean_although_another_errs():
    labels = np.repeat([0, 1], [500, 5])
    lesions = np.array([f"L{index}" for index in range(505)])
    given = np.eye(2)[labels]
    given[0] = [0, 1]
    found = bootstrap_intervals(labels, given, lesions, melanoma=1, num_samples=2000)
    half = (1 + found["melanoma_sensitivity"][0]) / 2
    assert found["balanced_accuracy"][0] == pytest.approx(half, abs=0.02)


@pytest.mark.parametrize("columns", [1, 7])
def test_one_class_alone_has_an_interval_of_its_accuracy(columns):
    labels, lesions = np.zeros(30, int), np.array([f"L{index}" for index in range(30)])
    found = bootstrap_intervals(labels, np.eye(columns)[labels], lesions, num_samples=2000)
    assert found["accuracy"] == (pytest.approx(1 - 3 / 31), 1)
    assert found["balanced_accuracy"] == found["accuracy"]


def test_a_class_that_does_not_occur_enters_no_mean():
    labels = np.repeat([0, 2], 1000)
    lesions = np.array([f"L{index}" for index in range(2000)])
    found = bootstrap_intervals(labels, np.eye(7)[labels], lesions, num_samples=500)
    assert min(low for low, _ in found.values()) > 0.99


def test_where_all_is_wrong_the_interval_begins_at_0():
    labels, lesions = np.repeat([0, 1], 20), np.array([f"L{index}" for index in range(40)])
    found = bootstrap_intervals(labels, np.eye(2)[1 - labels], lesions, num_samples=2000)
    assert found["accuracy"][0] == 0
    assert 0.02 < found["accuracy"][1] < 0.2


def test_bad_input_is_refused():
    labels, probabilities = answers(0)
    with pytest.raises(SchemaError):
        classification_metrics(labels[:-1], probabilities)
    with pytest.raises(SchemaError):
        classification_metrics(labels, probabilities * np.nan)
    with pytest.raises(ParameterError):
        classification_metrics(labels, probabilities, melanoma=9)
