"""Callbacks that drive scores apart: each against the proximal step by hand, and in training."""

import keras
import numpy as np
import pytest
from keras import layers

from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.pruner import prune
from slimderm.components.pruning.sparse_training import (
    GroupLasso,
    GrowingRegularization,
    NetworkSlimming,
)

RATE, STRENGTH, STEPS = 0.1, 0.5, 4


def normalised():
    inputs = keras.Input((6,))
    x = layers.Dense(8, name="hidden")(inputs)
    x = layers.ReLU()(layers.BatchNormalization(name="norm")(x))
    return keras.Model(inputs, layers.Dense(1, name="out")(x))


def coupled():
    inputs = keras.Input((6,))
    x = layers.Add()([layers.Dense(8, name="p")(inputs), layers.Dense(8, name="q")(inputs)])
    return keras.Model(inputs, layers.Dense(1, name="out")(layers.ReLU()(x)))


def nothing(true, predicted):
    return 0 * keras.ops.sum(predicted)


def fit(model, callback, *, loss="mse", steps=STEPS, rate=RATE):
    """Train; where the loss is "none", by no gradients at all."""
    random = np.random.default_rng(0)
    inputs = np.tile(random.normal(size=(64, 6)).astype("float32"), (steps, 1))  # one batch
    targets = np.abs(inputs[:, :1])  # two units suffice
    model.compile(keras.optimizers.SGD(rate), nothing if loss == "none" else loss)
    model.fit(inputs, targets, batch_size=64, shuffle=False, verbose=0, callbacks=callback)
    return model


def test_slimming_takes_the_same_from_each_scale_until_it_is_zero():
    model = normalised()
    before = np.array([1, -0.5, 0.19, 0.2, 0.21, -2, 0, 0.6])
    model.get_layer("norm").gamma.assign(before)
    fit(model, [NetworkSlimming(STRENGTH)], loss="none")
    expected = np.sign(before) * np.maximum(np.abs(before) - STEPS * RATE * STRENGTH, 0)
    np.testing.assert_allclose(model.get_layer("norm").gamma, expected, atol=1e-6)


def test_group_lasso_shortens_coupled_filters_by_the_same_length():
    model = coupled()
    filters = {name: model.get_layer(name).kernel.numpy() for name in "pq"}
    length = np.sqrt(sum((kernel**2).sum(0) for kernel in filters.values()))
    last = model.get_layer("out").kernel.numpy()
    fit(model, [GroupLasso(STRENGTH)], loss="none")
    left = np.maximum(1 - STEPS * RATE * STRENGTH / length, 0)
    for name, kernel in filters.items():
        np.testing.assert_allclose(model.get_layer(name).kernel, kernel * left, atol=1e-5)
    np.testing.assert_array_equal(model.get_layer("out").kernel, last)  # it makes no channels


def test_growing_decay_takes_hold_of_what_will_go_and_of_nothing_else():
    model = normalised()
    bias = np.arange(8) / 8
    model.get_layer("hidden").bias.assign(bias)
    kernel = model.get_layer("hidden").kernel.numpy()
    goes = np.argsort(np.abs(kernel).sum(0))[:4]
    callback = GrowingRegularization(0.5, step=2, every=2, largest=3)
    fit(model, [callback], loss="none", steps=6)
    left = np.ones(8)
    for weight in (0, 2, 2, 3, 3, 3):  # 2 after two steps, 4 after four, but 3 at most
        left[goes] /= 1 + RATE * weight
    np.testing.assert_allclose(model.get_layer("hidden").kernel, kernel * left, rtol=1e-5)
    np.testing.assert_allclose(model.get_layer("norm").gamma, left, rtol=1e-5)
    np.testing.assert_allclose(model.get_layer("hidden").bias, bias * left, rtol=1e-5)


def spread(values):
    """How much the four largest of eight have of all."""
    values = np.sort(np.abs(np.asarray(values)))
    return values[4:].sum() / values.sum()


def test_training_with_a_penalty_drives_scores_apart():
    def scales(*callbacks):
        keras.utils.set_random_seed(3)
        return fit(normalised(), [*callbacks], steps=150).get_layer("norm").gamma

    assert spread(scales(NetworkSlimming(0.1))) > spread(scales()) + 0.1

    def norms(*callbacks):
        keras.utils.set_random_seed(3)
        model = fit(coupled(), [*callbacks], steps=150)
        return np.sqrt(sum((model.get_layer(name).kernel.numpy() ** 2).sum(0) for name in "pq"))

    assert spread(norms(GroupLasso(0.1))) > spread(norms()) + 0.1
    growing = GrowingRegularization(0.5, step=2, every=2, largest=100)
    assert spread(norms(growing)) > 0.99


def test_what_grew_small_is_what_pruning_takes_and_costs_little():
    keras.utils.set_random_seed(3)
    model = coupled()
    chosen = prune(model, ratio=0.5, criterion="l1").log["removed"]
    fit(model, [GrowingRegularization(0.5, step=2, every=2, largest=100)], steps=200)
    pruned = prune(model, ratio=0.5, criterion="l1")
    assert pruned.log["removed"] == chosen
    inputs = np.random.default_rng(1).normal(size=(32, 6)).astype("float32")
    np.testing.assert_allclose(pruned.model(inputs), model(inputs), atol=0.1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: NetworkSlimming(0), "strength: received 0, expected a positive number"),
        (lambda: GroupLasso(float("nan")), "strength: received nan"),
        (lambda: GrowingRegularization(1.5), "ratio: received 1.5"),
        (lambda: GrowingRegularization(0.5, every=0), "every: received 0"),
        (lambda: GrowingRegularization(0.5, step=-1), "step: received -1"),
        (lambda: fit(coupled(), [NetworkSlimming()]), "no scale of batch normalisation"),
    ],
)
def test_what_cannot_work_is_refused(make, words):
    with pytest.raises(ParameterError, match=words):
        make()
