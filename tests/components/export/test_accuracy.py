"""A file beside its network on labelled images: values by scikit-learn, verdicts as built."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, recall_score

from slimderm.components.export.accuracy import Demanded, Labelled, judge_accuracy

DEMANDED = Demanded({"balanced_accuracy": 0.05, "melanoma_sensitivity": 0.10}, 0.95, 500, 0)
NUM = 240
LABELS = np.arange(NUM) % 3
LABELLED = Labelled(LABELS, np.arange(NUM).astype(str), melanoma=1)


def answers(predicted):
    """Probabilities by which these classes are predicted."""
    return np.eye(3)[predicted] * 0.8 + 0.2 / 3


def wrong_on(rows):
    return answers(np.where(np.isin(np.arange(NUM), rows), (LABELS + 1) % 3, LABELS))


KERAS = wrong_on(np.arange(0, NUM, 8))


def test_values_are_those_of_scikit_learn():
    found = wrong_on(np.arange(0, NUM, 5))
    accuracy = judge_accuracy(found, KERAS, LABELLED, DEMANDED)
    balanced = accuracy.metrics["balanced_accuracy"]
    assert balanced.file == pytest.approx(balanced_accuracy_score(LABELS, found.argmax(axis=1)))
    assert balanced.keras == pytest.approx(balanced_accuracy_score(LABELS, KERAS.argmax(axis=1)))
    melanoma = accuracy.metrics["melanoma_sensitivity"]
    recalls = recall_score(LABELS, found.argmax(axis=1), average=None)
    assert melanoma.file == pytest.approx(recalls[1])
    for each in (balanced, melanoma):
        assert each.low < each.file - each.keras < each.high
    assert (accuracy.num_images, accuracy.num_lesions, accuracy.confidence) == (NUM, NUM, 0.95)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (KERAS, "non-inferior"),
        (wrong_on(np.arange(0, NUM, 3)), "inferior"),  # every image of the first class
        (wrong_on(np.arange(0, NUM, 6)), "inconclusive"),
    ],
)
def test_the_verdict_is_that_of_the_worse_metric(found, verdict):
    accuracy = judge_accuracy(found, KERAS, LABELLED, DEMANDED)
    words = {each.verdict for each in accuracy.metrics.values()}
    assert accuracy.verdict == verdict
    assert verdict in words


def test_few_images_can_show_nothing():
    few = Labelled(LABELS[:9], LABELLED.lesions[:9], melanoma=1)
    assert judge_accuracy(KERAS[:9], KERAS[:9], few, DEMANDED).verdict == "inconclusive"


def test_images_of_one_lesion_count_once():
    once = judge_accuracy(wrong_on(range(30)), KERAS, LABELLED, DEMANDED)
    rows = np.repeat(np.arange(NUM), 3)
    thrice = replace(LABELLED, labels=LABELS[rows], lesions=LABELLED.lesions[rows])
    again = judge_accuracy(wrong_on(range(30))[rows], KERAS[rows], thrice, DEMANDED)
    for name, each in once.metrics.items():
        other = again.metrics[name]
        assert other.file == pytest.approx(each.file)
        assert other.high - other.low == pytest.approx(each.high - each.low, rel=0.1)


def test_without_melanoma_its_sensitivity_is_left_out():
    without = replace(LABELLED, melanoma=None)
    found = judge_accuracy(KERAS, KERAS, without, DEMANDED)
    assert set(found.metrics) == {"balanced_accuracy"}
