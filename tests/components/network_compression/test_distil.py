"""Distillation: its loss against scipy and hand, α = 0 against plain training."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from scipy.special import log_softmax, softmax

from slimderm.components.common.errors import ParameterError
from slimderm.components.network_compression.distil import (
    Distil,
    divergence,
    gives_logits,
    log_probabilities,
    similarity_loss,
)
from slimderm.components.network_compression.recipe import Step, compress
from slimderm.components.pruning.pruner import prune


def logits():
    return np.random.default_rng(0).standard_normal((2, 6, 4)).astype(np.float32) * 3


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_divergence_is_scipys(temperature):
    student, teacher = logits()
    log_s, log_t = (log_softmax(each / temperature, axis=1) for each in (student, teacher))
    expected = temperature**2 * (np.exp(log_t) * (log_t - log_s)).sum(axis=1).mean()
    found = divergence(ops.convert_to_tensor(student), ops.convert_to_tensor(teacher), temperature)
    assert float(found) == pytest.approx(expected, rel=1e-4)
    said = (log_probabilities(ops.softmax(each)) for each in (student, teacher))
    assert float(divergence(*said, temperature)) == pytest.approx(expected, rel=1e-4)


def test_a_high_temperature_matches_logits():
    student, teacher = (each - each.mean(axis=1, keepdims=True) for each in logits())
    expected = ((student - teacher) ** 2).sum(axis=1).mean() / (2 * 4)
    found = divergence(ops.convert_to_tensor(student), ops.convert_to_tensor(teacher), 300.0)
    assert float(found) == pytest.approx(expected, rel=0.03)


def test_a_probability_of_zero_is_no_infinity():
    student = np.array([[1.0, 0.0]], np.float32)
    found = divergence(log_probabilities(student), log_probabilities(student[:, ::-1]), 1.0)
    assert np.isfinite(float(found))


def test_likeness_is_free_of_width_and_scale():
    generator = np.random.default_rng(0)
    rows = generator.standard_normal((5, 8)).astype(np.float32)
    turned = rows @ np.linalg.qr(generator.standard_normal((8, 8)))[0].astype(np.float32)
    wider = np.concatenate([3 * turned, np.zeros((5, 2), np.float32)], axis=1)
    assert float(similarity_loss(rows, wider)) == pytest.approx(0, abs=1e-9)
    assert float(similarity_loss(rows, rows[::-1].copy())) > 0.01


def fine_tune(model):
    generator = np.random.default_rng(2)
    inputs, labels = generator.random((16, 8), np.float32), generator.integers(0, 3, 16)
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(inputs, labels, batch_size=8, epochs=10, shuffle=False, verbose=0)


def distance(one, other, rows):
    said = (log_probabilities(model(rows[0][0])) for model in (one, other))
    return float(divergence(*said, 1.0))


def test_without_the_teachers_part_it_is_plain_training(dense):
    student = prune(dense, ratio=0.5).model
    made = Distil(dense, alpha=0.0).apply(student, fine_tune=fine_tune).model
    fine_tune(student)
    for one, other in zip(made.weights, student.weights, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-4, atol=1e-6)


def test_a_pruned_network_comes_nearer_to_its_teacher(dense, rows):
    student = prune(dense, ratio=0.5).model
    before = [np.asarray(weight) for weight in dense.weights]
    made = Distil(dense, alpha=0.95).apply(student, fine_tune=fine_tune).model
    control = Distil(dense, alpha=0.0).apply(student, fine_tune=fine_tune).model
    assert distance(made, dense, rows) < distance(control, dense, rows)
    for old, weight in zip(before, dense.weights, strict=True):
        np.testing.assert_array_equal(old, np.asarray(weight))
    assert type(made) is type(student)
    assert made.count_params() == student.count_params()


def test_features_are_learned_too(dense, rows):
    student = prune(dense, ratio=0.5).model

    def unlike(model):
        own, other = (
            keras.Model(each.inputs[0], each.get_layer("second").output)(rows[0][0])
            for each in (model, dense)
        )
        return float(similarity_loss(own, other))

    with_features = Distil(dense, alpha=0.0, features={"second": "second"})
    made = with_features.apply(student, fine_tune=fine_tune).model
    plain = Distil(dense, alpha=0.0).apply(student, fine_tune=fine_tune).model
    assert unlike(made) < unlike(plain)


def test_it_is_found_again_by_its_teacher(dense, tmp_path):
    student = prune(dense, ratio=0.5).model
    trained = []

    def train(model, epochs):
        trained.append(epochs)
        fine_tune(model)

    for teacher in (dense, dense, student):
        steps = [Step(Distil(teacher, alpha=0.5), 1)]
        list(compress(student, steps, train=train, cache=tmp_path))
    assert trained == [1, 1]


def test_a_teacher_that_does_not_fit_is_refused(dense):
    def other(inputs, classes):
        return keras.Sequential([keras.Input(inputs), layers.Dense(classes, "softmax")])

    with pytest.raises(ParameterError, match=r"output \[\(None, 4\)\], expected \[\(None, 3\)\]"):
        Distil(other((5,), 4)).apply(other((5,), 3), fine_tune=fine_tune)
    with pytest.raises(ParameterError, match=r"input \[\(None, 6\)\], expected \[\(None, 5\)\]"):
        Distil(other((6,), 3)).apply(other((5,), 3), fine_tune=fine_tune)
    with pytest.raises(ParameterError, match="fine_tune: received none"):
        Distil(dense).apply(dense)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": 1.0}, "alpha: received 1.0, expected a number of at least 0 and below 1"),
        ({"alpha": float("nan")}, "alpha: received nan"),
        ({"temperature": 0.0}, "temperature: received 0.0, expected a number above 0"),
        ({"feature_weight": -1.0}, "feature_weight: received -1.0"),
    ],
)
def test_wrong_settings_are_refused(settings, message, dense):
    with pytest.raises(ParameterError, match=message):
        Distil(dense, **settings)


def test_probabilities_are_those_of_logits():
    """The softmax of log-probabilities over T is that of logits over T."""
    student, _ = logits()
    softened = softmax(np.log(softmax(student, axis=1)) / 4, axis=1)
    np.testing.assert_allclose(softened, softmax(student / 4, axis=1), rtol=1e-4)


def headed(activation, units=3):
    return keras.Sequential([keras.Input((8,)), layers.Dense(units, activation=activation)])


def test_logits_teach_as_their_probabilities_do():
    logits, softmax_head = headed(None), headed("softmax")
    softmax_head.set_weights(logits.get_weights())
    behind = keras.Sequential([keras.Input((8,)), layers.Dense(3), layers.Softmax()])
    nested = keras.Sequential([keras.Input((8,)), behind])
    assert gives_logits(logits)
    assert not any(gives_logits(each) for each in (softmax_head, behind, nested))
    student = headed("softmax")
    made = [
        Distil(each, 0.9).apply(student, fine_tune=fine_tune) for each in (logits, softmax_head)
    ]
    for one, other in zip(*(each.model.get_weights() for each in made), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("activation", "units"), [("sigmoid", 3), ("linear", 1), ("softmax", 1)])
def test_heads_that_say_no_classes_are_refused(activation, units):
    model = headed(activation, units)
    with pytest.raises(ParameterError, match=f"received {units} outputs of {activation}, expected"):
        Distil(model).apply(model, fine_tune=fine_tune)


def test_a_teacher_that_is_not_finite_is_refused(dense):
    teacher = keras.models.clone_model(dense)
    teacher.layers[-1].bias.assign(np.full(teacher.layers[-1].bias.shape, np.nan))
    with pytest.raises(ParameterError, match="bias that is not finite"):
        Distil(teacher).apply(dense, fine_tune=fine_tune)
