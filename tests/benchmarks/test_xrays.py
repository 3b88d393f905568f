"""How the study of chest X-rays judges, against scikit-learn and by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, recall_score, roc_auc_score


@pytest.fixture(scope="module")
def xrays():
    """Keras is imported here: pytest does not capture what it prints while this file is read."""
    from benchmarks import xrays

    return xrays


@pytest.fixture
def table():
    """Four patients of two images on val and five on test."""
    rows = [("train", "NORMAL", "t")]
    rows += [("val", "PNEUMONIA" if one % 2 else "NORMAL", f"v{one}") for one in range(4)]
    rows += [
        ("test", "PNEUMONIA" if one % 3 else "NORMAL", f"p{one}") for one in range(5) for _ in "ab"
    ]
    return pd.DataFrame(rows, columns=["fold", "label", "patient"])


def test_the_first_of_the_samples_is_the_test_part_as_it_is(xrays, table):
    judge = xrays.Judge(table, np.zeros((len(table), 2, 2, 1), np.float32))
    said = np.random.default_rng(1).random(10)
    found = {name: values[0] for name, values in judge.metrics(said, 0.4).items()}
    positive = said > 0.4
    assert found == {
        "auroc": pytest.approx(roc_auc_score(judge.labels, said)),
        "balanced_accuracy": pytest.approx(balanced_accuracy_score(judge.labels, positive)),
        "sensitivity": pytest.approx(recall_score(judge.labels, positive)),
        "specificity": pytest.approx(recall_score(judge.labels, positive, pos_label=0)),
        "accuracy": pytest.approx(np.mean(judge.labels == positive)),
    }


def test_samples_draw_whole_patients(xrays, table):
    judge = xrays.Judge(table, np.zeros((len(table), 2, 2, 1), np.float32))
    pairs = judge.weights.reshape(len(judge.weights), 5, 2)
    np.testing.assert_array_equal(pairs[..., 0], pairs[..., 1])
    np.testing.assert_array_equal(pairs[..., 0].sum(axis=1), 5)
    assert len(np.unique(judge.weights, axis=0)) > 50


def test_the_threshold_is_that_of_the_best_balanced_accuracy(xrays):
    random = np.random.default_rng(2)
    labels = random.integers(0, 2, 60)
    said = np.clip(0.2 * labels + 0.5 * random.random(60), 0, 1)
    found = xrays.best_threshold(labels, said)
    every = [balanced_accuracy_score(labels, said > each) for each in np.linspace(0, 1, 2001)]
    assert balanced_accuracy_score(labels, said > found) == pytest.approx(max(every))
    assert found not in said


def test_intervals_hold_what_differs_between_seeds(xrays):
    still = {"auroc": np.full(1 + xrays.SAMPLES, 0.7)}
    other = {"auroc": np.full(1 + xrays.SAMPLES, 0.9)}
    found = xrays.summary([still, other], np.random.default_rng(0))
    assert found == {"auroc": [pytest.approx(0.8), pytest.approx(0.7), pytest.approx(0.9)]}


def test_the_constant_answer_has_no_worth(xrays, table):
    judge = xrays.Judge(table, np.zeros((len(table), 2, 2, 1), np.float32))
    found = judge.metrics(np.ones(10), 0.5)
    assert found["sensitivity"][0] == 1
    assert found["specificity"][0] == 0
    assert found["auroc"][0] == 0.5
    assert found["accuracy"][0] == np.mean(judge.labels)
