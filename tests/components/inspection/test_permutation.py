import keras
import numpy as np
import pytest

from slimderm.components.common.errors import SchemaError
from slimderm.components.inspection.permutation import permutation_importance
from slimderm.components.training.batches import Examples

RANDOM = np.random.default_rng(0)
NAMES = ("age", "sex", "localization")


def reading(column):
    """A model of two classes that reads one column alone: its sign."""
    image = keras.Input((2, 2, 3), name="image")
    metadata = keras.Input((3,), name="metadata")
    kernel = np.zeros((3, 2), np.float32)
    kernel[column] = (-50, 50)
    output = keras.layers.Dense(2, "softmax", use_bias=False)
    model = keras.Model({"image": image, "metadata": metadata}, output(metadata))
    output.set_weights([kernel])
    return model


def examples(count):
    metadata = RANDOM.choice((-1.0, 1.0), (count, 3)).astype(np.float32)
    labels = (metadata[:, 1] > 0).astype(np.int64)
    images = np.zeros((count, 2, 2, 3), np.uint8)
    return Examples(images, metadata, labels, np.arange(count).astype(str))


def test_a_column_that_decides_costs_half_of_the_accuracy_and_others_nothing():
    table = permutation_importance(reading(1), examples(400), NAMES, repeats=8).set_index("column")
    assert list(table.index) == list(NAMES)
    assert table.loc["sex", "balanced_accuracy_lost"] == pytest.approx(0.5, abs=0.05)
    assert table.loc["sex", "predictions_changed"] == pytest.approx(0.5, abs=0.05)
    assert table.loc["sex", "probability_moved"] == pytest.approx(0.5, abs=0.05)
    assert (table.loc[["age", "localization"]] == 0).all(axis=None)


def test_as_scikit_learn_measures_it():
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.inspection import permutation_importance as oracle

    class Model(ClassifierMixin, BaseEstimator):
        classes_ = np.array([0, 1])

        def fit(self, x, y):
            return self

        def predict(self, x):
            return (x[:, 0] + 0.5 * x[:, 1] > 0).astype(int)

    given = examples(400)
    model = reading(0)
    model.layers[-1].set_weights([np.array([[-50, 50], [-25, 25], [0, 0]], np.float32)])
    table = permutation_importance(model, given, NAMES, repeats=20)
    expected = oracle(
        Model(), given.metadata, given.labels, scoring="balanced_accuracy", n_repeats=20
    )
    np.testing.assert_allclose(
        table["balanced_accuracy_lost"], expected.importances_mean, atol=0.02
    )


def test_names_are_as_many_as_columns():
    with pytest.raises(SchemaError, match="received 2, expected one for each of 3"):
        permutation_importance(reading(0), examples(4), NAMES[:2])
