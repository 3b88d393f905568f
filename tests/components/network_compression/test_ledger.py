"""A ledger counts what one counts by hand."""

import imagecodecs
import keras
import numpy as np
import pytest

from slimderm.components.network_compression.ledger import ledger
from slimderm.components.network_compression.slim_file import pack


@pytest.fixture
def model():
    random = np.random.default_rng(0)
    network = keras.Sequential(
        [keras.Input((60,)), keras.layers.Dense(50), keras.layers.Dense(3, use_bias=False)]
    )
    network.layers[0].set_weights(
        [random.choice([-0.5, 0.25, 1], (60, 50)), random.normal(size=50)]
    )
    return network


def test_every_count(model, tmp_path):
    found = ledger(model)
    assert found["parameters"] == 60 * 50 + 50 + 50 * 3
    assert found["multiply_accumulates"] == 60 * 50 + 50 * 3
    assert found["float32_bytes"] == 4 * found["parameters"]
    assert found["slim_bytes"] == len(pack(model))
    model.save(tmp_path / "model.keras")
    assert found["keras_bytes"] == pytest.approx((tmp_path / "model.keras").stat().st_size, rel=0.1)
    everything = b"".join(weight.tobytes() for weight in model.get_weights())
    squeezed = imagecodecs.zstd_encode(everything, level=22)
    assert imagecodecs.zstd_decode(squeezed) == everything
    assert found["zstd_float32_bytes"] == len(squeezed)


def test_the_controls_are_of_that_size(model):
    found = ledger(model)
    # 3,000 numbers of three kinds take log2(3) bits each at least, 200 random floats four bytes.
    numbers, floats = 3000 * np.log2(3) / 8, 4 * (50 + 150)
    least = numbers + 0.9 * floats
    assert least < found["zstd_symbols_bytes"] < 1.6 * numbers + floats
    assert least < found["slim_bytes"] < found["zstd_float32_bytes"]
    assert found["zstd_int8_bytes"] < found["parameters"]


def test_a_model_without_an_input_size_has_no_operations():
    convolution = keras.layers.Conv2D(2, 3)
    model = keras.Sequential([keras.Input((None, None, 1)), convolution])
    assert ledger(model)["multiply_accumulates"] is None
    assert ledger(model)["parameters"] == 3 * 3 * 2 + 2


def test_a_network_of_zeros():
    model = keras.Sequential([keras.Input((40,)), keras.layers.Dense(30)])
    model.set_weights([np.zeros((40, 30)), np.zeros(30)])
    found = ledger(model)
    assert found["zstd_symbols_bytes"] < 40
    assert found["zstd_int8_bytes"] < 40
