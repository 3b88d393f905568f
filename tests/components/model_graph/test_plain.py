"""Composite layers are found in sequential models as in others, and not inside wrappers."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from slimderm import ParameterError, prune, register_rule, verify
from slimderm.components.model_graph import custom_rules
from slimderm.components.model_graph.plain import plain
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.proof import randomise


class Wide(layers.Layer):
    """A dense layer and one that goes back."""

    def build(self, shape):
        self.wide = layers.Dense(12, name="wide")
        self.narrow = layers.Dense(8, name="narrow")
        self.wide.build(shape)
        self.narrow.build((*shape[:-1], 12))

    def call(self, x):
        return x + self.narrow(ops.gelu(self.wide(x)))

    def compute_output_shape(self, shape):
        return shape


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setattr(custom_rules, "_registered", {})
    register_rule(Wide, "composite")


def sequence():
    return keras.Sequential(
        [keras.Input((8,)), layers.Dense(8, name="first"), Wide(name="block"), layers.Dense(8)],
        name="sequence",
    )


def nested():
    return keras.Sequential([keras.Input((8,)), sequence(), layers.Dense(2)])


def inside():
    x = keras.Input((8,))
    return keras.Model(x, layers.Dense(2)(sequence()(layers.Dense(8)(x))))


@pytest.mark.parametrize(
    ("make", "path"), [(sequence, ""), (nested, "sequence/"), (inside, "sequence/")]
)
def test_a_composite_layer_of_a_sequence_is_followed(make, path, tmp_path):
    model = make()
    randomise(model, seed=0)
    inputs = np.random.default_rng(0).random((4, 8)).astype("float32")
    np.testing.assert_allclose(plain(model)(inputs), model(inputs), atol=1e-5)
    pruned = prune(model, ratio=0.5)
    assert pruned.report.barriers == ()
    assert pruned.report.widths[f"{path}block/wide"] == (12, 6)
    assert verify(model, pruned, inputs) < 1e-5
    pruned.model.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_allclose(again(inputs), pruned.model(inputs), atol=1e-6)


def test_a_sequence_without_such_layers_stays_as_it_is():
    model = keras.Sequential([keras.Input((8,)), layers.Dense(4)])
    assert plain(model) is model


def test_layers_that_share_a_weight_are_refused():
    class Scaled(layers.Layer):
        def call(self, x):
            return x * self.scale

    register_rule(Scaled, "composite")
    one, other = Scaled(name="one"), Scaled(name="other")
    one.scale = other.scale = one.add_weight(shape=(8,), name="scale")
    x = keras.Input((8,))
    model = keras.Model(x, layers.Dense(2)(other(one(layers.Dense(8)(x)))))
    with pytest.raises(ParameterError, match="share a weight"):
        plain(model)


def test_inside_a_wrapper_it_is_a_barrier_that_says_so():
    x = keras.Input((5, 8))
    y = layers.TimeDistributed(Wide(name="block"), name="steps")(layers.Dense(8)(x))
    (barrier,) = trace(keras.Model(x, layers.Dense(2)(y))).barriers
    assert (barrier.path, barrier.reason) == ("steps/block", "Wide stands inside a wrapper")
