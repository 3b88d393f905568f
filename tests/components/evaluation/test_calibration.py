"""Calibration against hand-computed cases and a temperature that is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.calibration import calibration_curve

from slimderm.components.common.errors import SchemaError
from slimderm.components.evaluation.calibration import (
    expected_calibration_error,
    fit_temperature,
    reliability,
    tempered,
)


def test_the_error_by_hand():
    labels = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.95, 0.05], [0.85, 0.15], [0.85, 0.15], [0.25, 0.75]])
    table = reliability(labels, probabilities, num_bins=10)
    assert table["num_images"].tolist() == [1, 2, 1]
    assert table["accuracy"].tolist() == [1.0, 0.5, 1.0]
    expected = (abs(0.75 - 1) + 2 * abs(0.85 - 0.5) + abs(0.95 - 1)) / 4
    assert expected_calibration_error(labels, probabilities, num_bins=10) == pytest.approx(expected)


def test_bins_are_those_of_scikit_learn():
    random = np.random.default_rng(0)
    probabilities = softmax(random.normal(size=(500, 4)) * 2, axis=1)
    labels = random.integers(0, 4, 500)
    table = reliability(labels, probabilities, num_bins=12)
    right = probabilities.argmax(1) == labels
    accuracy, confidence = calibration_curve(right, probabilities.max(1), n_bins=12)
    np.testing.assert_allclose(table["accuracy"], accuracy)
    np.testing.assert_allclose(table["confidence"], confidence)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_known_temperature_is_found(temperature):
    random = np.random.default_rng(1)
    true = softmax(random.normal(size=(20_000, 3)) * 1.5, axis=1)
    labels = (random.random((len(true), 1)) > true.cumsum(1)).sum(1)
    given_out = softmax(np.log(true) * temperature, axis=1)
    assert fit_temperature(labels, given_out) == pytest.approx(temperature, rel=0.05)
    mended = tempered(given_out, temperature)
    np.testing.assert_allclose(mended, true, atol=1e-9)
    assert expected_calibration_error(labels, mended) < 0.02


@given(st.floats(0.05, 20), st.integers(0, 1000))
def test_a_temperature_keeps_the_order_and_the_sum(temperature, seed):
    probabilities = softmax(np.random.default_rng(seed).normal(size=(5, 4)), axis=1)
    scaled = tempered(probabilities, temperature)
    np.testing.assert_allclose(scaled.sum(1), 1)
    assert (scaled.argsort(1) == probabilities.argsort(1)).all()


def test_certainty_in_the_wrong_stays_finite():
    assert np.isfinite(fit_temperature(np.array([1, 0]), np.array([[1.0, 0.0], [1.0, 0.0]])))


@pytest.mark.parametrize("shape", [(3, 2), (2,)])
def test_what_does_not_fit_is_refused(shape):
    with pytest.raises(SchemaError, match="2 labels"):
        reliability(np.array([0, 1]), np.full(shape, 0.5))
