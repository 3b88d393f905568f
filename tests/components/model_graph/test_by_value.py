"""Functions are followed unsaid where their operations show that they treat values one by one."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from slimderm import prune, verify
from slimderm.components.model_graph.by_value import is_by_value
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.proof import randomise


def quick_gelu(x):
    return x * ops.sigmoid(1.702 * x)


def capped(x):
    return ops.clip(ops.tanh(x / 3.0) * 3, -2, 2)


def chosen(x):
    return ops.where(x > 0, x, ops.exp(x) * ops.convert_to_tensor(0.2) - 0.2)


def turned(x):
    return x[..., ::-1] if keras.backend.backend() != "torch" else ops.flip(x, -1)


def by_width(x):
    return x / x.shape[-1]


def of_channels(x):
    return x * np.arange(x.shape[-1], dtype="float32")


def summed(x):
    return x / (1 + ops.sum(ops.abs(x), axis=-1, keepdims=True))


def repeated(x):
    return x + ops.cumsum(x, axis=-1)


def noisy(x):
    return x + keras.random.normal(())


def in_training(x, training=False):
    return x if training else 2 * x


def by_numpy(x):
    return np.tanh(x)


def narrow(x):
    return x[..., :1]


@pytest.mark.parametrize("function", [quick_gelu, capped, chosen, lambda x: -x])
def test_by_value(function):
    assert is_by_value(function)


@pytest.mark.parametrize(
    "function",
    [turned, by_width, of_channels, summed, repeated, noisy, in_training, by_numpy, narrow],
)
def test_not_by_value(function):
    assert not is_by_value(function)


WITH = {
    "activation": lambda: layers.Activation(quick_gelu),
    "of a layer": lambda: layers.Dense(8, activation=quick_gelu),
    "lambda": lambda: layers.Lambda(quick_gelu),
}


def network(layer):
    x = keras.Input((6,))
    model = keras.Model(x, layers.Dense(3)(layer(layers.Dense(8, name="first")(x))))
    randomise(model, seed=0)
    return model


@pytest.mark.parametrize("kind", WITH)
def test_a_function_is_followed(kind):
    model = network(WITH[kind]())
    pruned = prune(model, ratio=0.5)
    assert pruned.report.barriers == ()
    assert pruned.report.widths["first"] == (8, 4)
    assert verify(model, pruned) < 1e-5


def test_what_a_lambda_is_given_beside_is_a_barrier():
    model = network(layers.Lambda(lambda x, factor=1: x * factor, arguments={"factor": 2}))
    assert len(trace(model).barriers) == 1


def test_an_activation_becomes_operations_that_are_read_anywhere(tmp_path):
    pruned = prune(network(layers.Activation(quick_gelu)), ratio=0.5).model
    pruned.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras")  # which knows no function of ours
    x = np.random.default_rng(0).normal(size=(2, 6)).astype("float32")
    np.testing.assert_allclose(again(x), pruned(x), atol=1e-6)


def test_an_activation_on_a_tensor_that_carries_a_mask_stays_a_layer():
    x = keras.Input((5,), dtype="int32")
    y = layers.Embedding(9, 8, mask_zero=True, name="first")(x)
    y = layers.Activation(quick_gelu, name="bent")(y)
    model = keras.Model(x, layers.Dense(2)(layers.GRU(4)(y)))
    assert trace(model).model.get_layer("bent").activation is quick_gelu
