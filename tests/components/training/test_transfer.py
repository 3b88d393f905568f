"""Transfer learning: what is frozen stays bit for bit, what is not is trained."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

from slimderm.components.common.errors import ParameterError
from slimderm.components.training.batches import Examples
from slimderm.components.training.fit import fit
from slimderm.components.training.settings import TrainingSettings
from slimderm.components.training.transfer import fit_transferred, frozen

SIZE = (16, 12)
SETTINGS = TrainingSettings(
    epochs=3,
    head_epochs=2,
    unfreeze_from="second",
    learning_rate=0.01,
    unfrozen_learning_rate=0.001,
    batch_size=8,
    augment="none",
    precision="float32",
)


def examples(count, seed, size=SIZE):
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (count, *size, 3), dtype=np.uint8)
    names = np.array([f"{seed}-{number}" for number in range(count)])
    return Examples(images, np.zeros((count, 3), np.float32), np.arange(count) % 2, names)


TRAIN, VALIDATION = examples(24, 0), examples(8, 1)


def network():
    keras.utils.set_random_seed(0)
    image = keras.Input((*SIZE, 3), name="image")
    x = layers.Rescaling(1 / 255)(image)
    for name in ("first", "second", "third"):
        x = layers.Conv2D(4, 3, activation="relu", name=name)(x)
        x = layers.BatchNormalization(name=f"{name}_normal")(x)
    output = layers.Dense(2, "softmax", name="probabilities")
    return keras.Model({"image": image}, output(layers.GlobalAveragePooling2D()(x)))


def weights(model):
    return {
        layer.name: [value.tobytes() for value in layer.get_weights()]
        for layer in model.layers
        if layer.weights
    }


def changed(one, other):
    return [name for name in one if one[name] != other[name]]


def test_the_head_first_then_all_from_a_layer_on():
    model = network()
    start, seen = weights(model), []
    history = fit_transferred(
        model,
        TRAIN,
        VALIDATION,
        SETTINGS,
        on_epoch=lambda number, row: seen.append(
            (number, changed(start, weights(model)), float(model.optimizer.learning_rate))
        ),
    )
    later = ["second", "second_normal", "third", "third_normal", "probabilities"]
    rates = [0.01, 0.01, 0.001]
    expected = [["probabilities"], ["probabilities"], later]
    assert [number for number, *_ in seen] == [1, 2, 3]
    assert [names for _, names, _ in seen] == expected
    assert [rate for *_, rate in seen] == pytest.approx(rates)
    assert changed(start, weights(model)) == later
    assert history.frame["epoch"].tolist() == [1, 2, 3]
    assert history.best_epoch == 3
    assert history.seconds > 0
    assert all(layer.trainable for layer in model.layers)


def test_the_second_part_starts_from_what_the_first_has_kept():
    """Of the same layer, at a learning rate of nearly nothing, it changes nothing."""
    both, head = network(), network()
    some = replace(SETTINGS, unfreeze_from="probabilities", unfrozen_learning_rate=1e-12)
    fit_transferred(both, TRAIN, VALIDATION, some)
    with frozen(head.layers[:-1]):
        fit(head, TRAIN, VALIDATION, replace(SETTINGS, epochs=2))
    for one, other in zip(both.get_weights(), head.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_without_settings_all_is_trained():
    model = network()
    start = weights(model)
    plain = replace(SETTINGS, epochs=1, head_epochs=0, unfreeze_from=None)
    history = fit_transferred(model, TRAIN, VALIDATION, plain)
    assert changed(start, weights(model)) == list(start)
    assert history.frame["epoch"].tolist() == [1]


def test_layers_are_as_before_even_after_an_error():
    model = network()
    model.get_layer("first").trainable = False
    with pytest.raises(ZeroDivisionError), frozen(model.layers):
        assert not model.trainable_variables
        raise ZeroDivisionError
    assert [layer.name for layer in model.layers if not layer.trainable] == ["first"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"unfreeze_from": "fourth"},
            "unfreeze_from: received 'fourth', .* first to probabilities",
        ),
        ({"epochs": 2}, "head_epochs: received 2, expected fewer than the 2 epochs"),
    ],
)
def test_what_does_not_fit_is_refused_before_training(settings, message):
    model = network()
    start = weights(model)
    with pytest.raises(ParameterError, match=message):
        fit_transferred(model, TRAIN, VALIDATION, replace(SETTINGS, **settings))
    assert not changed(start, weights(model))
