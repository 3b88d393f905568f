"""Weights that a composite layer has beside those of its layers keep what was said of them."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from slimderm import prune, register_rule, verify
from slimderm.components.model_graph import custom_rules
from slimderm.components.model_graph.plain import plain
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.proof import randomise


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setattr(custom_rules, "_registered", {})


def network(call, weights, **more):
    class Own(layers.Layer):
        def build(self, shape):
            for name, said in weights.items():
                setattr(self, name, self.add_weight(name=name, **said))

    Own.call = call
    register_rule(Own, "composite")
    x = keras.Input((8,))
    y = Own(name="block", **more)(layers.Dense(8, name="first", dtype=more.get("dtype"))(x))
    model = keras.Model(x, layers.Dense(3, name="last", dtype="float32")(y))
    for seed, weight in enumerate(model.trainable_weights):
        weight.assign(np.random.default_rng(seed).normal(0.2, 0.4, weight.shape))
    return model


def matrix(**more):
    return {"kernel": {"shape": (8, 6), "initializer": "normal", **more}}


def multiplied(self, x):
    return ops.relu(ops.matmul(x, self.kernel))


def test_penalties_and_bounds_stay():
    model = network(multiplied, matrix(regularizer=keras.regularizers.L2(0.5), constraint="NonNeg"))
    followed = plain(model)
    assert len(followed.losses) == len(model.losses) == 1
    losses = [np.asarray(each.losses[0]) for each in (followed, model)]
    np.testing.assert_allclose(*losses, rtol=1e-5)
    small = prune(model, ratio=0.5).model
    assert np.asarray(small.losses[0]) > 0
    (kernel,) = small.get_layer("block").weights
    assert isinstance(kernel.constraint, keras.constraints.NonNeg)
    assert kernel.shape == (8, 3)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"constraint": "MaxNorm"}, "constraint of kernel may look at axes"),
        ({"regularizer": "OrthogonalRegularizer"}, "regularizer of kernel may look at axes"),
    ],
)
def test_what_looks_at_axes_that_change_is_a_barrier(said, words):
    model = network(
        lambda self, x: ops.matmul(x, self.kernel[0]), {"kernel": {"shape": (1, 8, 8), **said}}
    )
    assert any(words in barrier.reason for barrier in trace(model).barriers)


def test_a_penalty_on_the_outputs_is_a_barrier():
    (barrier,) = trace(network(multiplied, matrix(), activity_regularizer="l2")).barriers
    assert barrier.reason == "Own has an activity regularizer"


def test_numbers_of_their_own_are_held():
    model = network(lambda self, x: x * self.gain, {"gain": {"shape": (), "initializer": "ones"}})
    pruned = prune(model, ratio=0.5)
    assert pruned.report.barriers == ()
    assert pruned.report.widths["first"] == (8, 4)
    (gain,) = pruned.model.get_layer("block").trainable_weights
    np.testing.assert_array_equal(gain, [[np.asarray(model.get_layer("block").gain)]])
    assert verify(model, pruned) < 1e-5


def test_whole_numbers_are_constants():
    weights = {
        "table": {"shape": (4, 8), "initializer": "normal"},
        "places": {"shape": (3,), "dtype": "int32", "initializer": "ones", "trainable": False},
    }
    model = network(
        lambda self, x: x * ops.mean(ops.take(self.table, self.places, axis=0), axis=0), weights
    )
    pruned = prune(model, ratio=0.5)
    assert pruned.report.barriers == ()
    assert pruned.report.widths["block/table"] == (8, 4)
    assert verify(model, pruned) < 1e-5


def test_weights_are_of_the_type_that_the_layer_computes_in():
    model = network(multiplied, matrix(), dtype="mixed_float16")
    block = plain(model).get_layer("block")
    computed = model.get_layer("block")(np.ones((2, 8), "float16"))
    assert keras.backend.standardize_dtype(computed.dtype) == block.outputs[0].dtype == "float16"
    assert block.weights[0].dtype == "float32"


def test_channels_in_place_of_samples_are_followed_or_stay():
    """The weight's channels are on the first axis, where other tensors have the batch."""
    flat, turned = layers.Flatten(), layers.Reshape((2, 2))
    changes = {
        "reshape": (lambda w: ops.mean(ops.reshape(w, (-1, 2, 2)), axis=(1, 2)), 4),
        "reduced": (lambda w: ops.max(ops.reshape(w, (-1, 2, 2)), axis=(0, 1, 2)), 8),
        "flatten": (lambda w: ops.mean(flat(w), axis=(0, 1)), 8),
        "layer": (lambda w: ops.mean(turned(w), axis=(0, 1, 2)), 8),
    }
    for change, width in changes.values():
        model = network(
            lambda self, x, change=change: x * change(ops.transpose(self.kernel)),
            {"kernel": {"shape": (4, 8), "initializer": "normal"}},
        )
        randomise(model, seed=0)
        pruned = prune(model, ratio=0.5)
        assert pruned.report.widths["block/kernel"] == (8, width)
        assert verify(model, pruned) < 1e-5


def test_channels_in_place_of_samples_of_a_model_of_one_batch():
    x = keras.Input(batch_shape=(4, 6))
    y = ops.transpose(layers.Dense(8, name="first")(x))  # (8, 4)
    y = ops.reshape(layers.ReLU()(y), (-1, 2, 2))
    y = layers.Dense(4, name="beside")(x) * ops.mean(y)
    model = keras.Model(x, layers.Dense(3)(y))
    randomise(model, seed=0)
    pruned = prune(model, ratio=0.5)
    assert pruned.report.widths["first"] == (8, 8)
    inputs = np.random.default_rng(0).random((4, 6)).astype("float32")
    assert verify(model, pruned, inputs) < 1e-5
