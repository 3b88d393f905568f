"""What makes two models one: their weights and what they need, not when they were saved."""

import time

import keras

from slimderm.flows.work.registering import model_content


def test_a_models_content_is_its_weights_and_its_needs_and_not_the_time(tmp_path):
    image = keras.Input((4,), name="image")
    layer = keras.layers.Dense(2, kernel_initializer="ones")
    model = keras.Model({"image": image}, layer(image))
    first, second = tmp_path / "first.keras", tmp_path / "second.keras"
    model.save(first)
    time.sleep(2.1)  # an archive counts two seconds
    model.save(second)
    assert first.read_bytes() != second.read_bytes()
    known = model_content(first, {"k": 5})
    assert model_content(second, {"k": 5}) == known
    assert model_content(second, {"k": 6}) != known
    layer.bias.assign([0, 1e-6])
    model.save(second)
    assert model_content(second, {"k": 5}) != known
