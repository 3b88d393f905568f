"""Calls that look as if they could be followed, and would be another layer: each is a barrier."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from slimderm import ParameterError, prune, register_rule, verify
from slimderm.components.model_graph import custom_rules
from slimderm.components.model_graph.calls import calls
from slimderm.components.model_graph.composite import Composite, unfolded
from slimderm.components.model_graph.plain import plain
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.proof import randomise


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setattr(custom_rules, "_registered", {})


def layer(call, build=None, **more):
    """Make a composite layer of a call and of what it holds: a dense layer, where nothing else."""

    def dense(self, shape):
        self.dense = layers.Dense(8, use_bias=False, name="dense")
        self.dense.build((None, 8))

    kind = type("Made", (layers.Layer,), {"build": build or dense, "call": call, **more})
    register_rule(kind, "composite")
    return kind


def network(kind, shape=(8,)):
    x = keras.Input(shape)
    y = kind(name="block")(layers.Dense(8, name="first")(x))
    return keras.Model(x, layers.Dense(3, name="last")(y))


def normalised(self, shape):
    self.norm = layers.BatchNormalization(name="norm")
    self.norm.build(shape)


def weight_in_list(self, shape):
    self.all = [self.add_weight(shape=(8,), name="one")]


def fails(error):
    def call(self, x):
        if isinstance(ops.shape(x)[0], int):
            raise error("no values here")
        return self.dense(x)

    return call


def eager(self, x):
    return x + ops.mean(self.dense(ops.ones((1, 8))))


REFUSED = {
    "frozen statistics": (
        lambda self, x: self.norm(x, training=False),
        normalised,
        "calls norm with training=False",
    ),
    "statistics of each batch": (
        lambda self, x: self.norm(x, training=True),
        normalised,
        "calls norm with training=True",
    ),
    "a weight's transpose": (
        lambda self, x: ops.matmul(ops.relu(self.dense(x)), ops.transpose(self.dense.kernel)),
        None,
        "reads block/dense/kernel beside the call",
    ),
    "a weight as it is": (
        lambda self, x: ops.matmul(ops.relu(self.dense(x)), self.dense.kernel),
        None,
        "takes a weight of a layer inside",
    ),
    "a layer that is called on constants": (eager, None, "reads block/dense/kernel beside"),
    "an own weight in a list": (
        lambda self, x: x * self.all[0],
        weight_in_list,
        "has weights that its call does not show",
    ),
    "repeated for each sample": (
        lambda self, x: self.dense(x + ops.repeat(ops.ones((1, 8)), ops.shape(x)[0], axis=0)),
        None,
        "makes a constant",
    ),
    "divided by the samples": (
        lambda self, x: self.dense(x) / ops.cast(ops.shape(x)[0], "float32"),
        None,
        "makes a constant of the size of the batch",
    ),
    "as many places as samples": (
        lambda self, x: ops.slice(self.dense(x), (0, 0), (ops.shape(x)[0], 8)),
        None,
        "makes a constant for each sample",
    ),
    "an output for all samples": (
        lambda self, x: self.dense(ops.sum(x, axis=0, keepdims=True)),
        None,
        "has a call",
    ),
    "a loss": (
        lambda self, x: (self.add_loss(ops.mean(x)), self.dense(x))[1],
        None,
        "it adds a loss",
    ),
    "a runtime error": (fails(RuntimeError), None, "no values here"),
    "a missing key": (fails(KeyError), None, "no values here"),
    "an assertion": (fails(AssertionError), None, "no values here"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_be_another_layer_is_a_barrier(case):
    call, build, words = REFUSED[case]
    more = {"compute_output_shape": lambda self, shape: (None, 8)}
    model = network(layer(call, build, **more))
    losses = len(model.losses)
    barriers = {barrier.path: barrier.reason for barrier in trace(model).barriers}
    assert words in barriers["block"]
    assert len(model.losses) == losses


def test_an_error_of_the_backend_is_a_barrier():
    def call(self, x):
        ops.add(ops.ones((3, 4)), ops.ones((ops.shape(x)[0] or 1, 7)))
        return self.dense(x)

    shape = {"compute_output_spec": lambda self, x: keras.KerasTensor((None, 8))}
    (barrier,) = trace(network(layer(call, **shape))).barriers
    assert "cannot be followed" in barrier.reason


def test_a_layer_that_fails_is_not_tried_with_a_huge_batch():
    batches = []

    def call(self, x):
        batches.append(ops.shape(x)[0])
        raise RuntimeError("in any case")

    shape = {"compute_output_spec": lambda self, x: keras.KerasTensor((None, 8))}
    trace(network(layer(call, **shape)))
    assert max(batches) < 2000


def test_statistics_that_training_moves_are_moved_there_alone():
    def call(self, x, training=False):
        return self.norm(self.dense(x), training=training)

    def build(self, shape):
        self.dense = layers.Dense(8, name="dense")
        self.dense.build(shape)
        normalised(self, shape)

    model = network(layer(call, build))
    randomise(model, seed=0)
    pruned = prune(model, ratio=0.5)
    assert pruned.report.barriers == ()
    inputs = np.random.default_rng(0).random((32, 8)).astype("float32")
    norm = pruned.model.get_layer("block").get_layer("norm")
    before = np.array(norm.moving_mean)
    pruned.model(inputs)
    np.testing.assert_array_equal(norm.moving_mean, before)
    pruned.model(inputs, training=True)
    assert not np.allclose(norm.moving_mean, before)


class Pair(layers.Layer):
    """What it does to the second of its inputs is not what it does to the first."""

    def build(self, *shapes):
        self.one = layers.Dense(8, name="one")
        self.other = layers.Dense(8, name="other")
        for each in (self.one, self.other):
            each.build((None, 8))

    def call(self, x, y):
        return self.one(x) + ops.tanh(self.other(y))


def test_inputs_go_by_their_places_where_one_tensor_comes_twice():
    register_rule(Pair, "composite")
    x, y = keras.Input((8,)), keras.Input((8,))
    pair = Pair(name="block")
    both = layers.Concatenate()([pair(x, x), pair(x, y)])
    model = keras.Model([x, y], layers.Dense(3)(both))
    randomise(model, seed=0)
    inputs = [np.random.default_rng(seed).random((4, 8)).astype("float32") for seed in (0, 1)]
    followed = plain(model)
    assert followed is not model
    np.testing.assert_allclose(followed(inputs), model(inputs), atol=1e-5)
    pruned = prune(model, ratio=0.5)
    assert pruned.report.widths["block/one"] == (8, 4)
    assert verify(model, pruned, inputs) < 1e-5


def test_calls_with_arrays_that_differ_in_the_middle_are_not_alike():
    kind = layer(lambda self, x, scale: self.dense(x) * ops.sum(scale), lambda self, *shapes: None)
    made = kind(name="block")
    made.dense = layers.Dense(8, name="dense")
    made.dense.build((None, 8))
    scale = np.ones((2000,), "float32")
    other = np.where(np.arange(2000) == 1000, 3, scale).astype("float32")
    x = keras.Input((8,))
    for second, alike in ((scale.copy(), True), (other, False)):
        model = keras.Model(x, layers.Add()([made(x, scale), made(x, second)]))
        found = unfolded([call for call in calls(model) if call.operation is made], Composite())
        assert (found == "is called with different arguments or shapes") != alike


def test_a_weight_that_is_an_argument_of_an_operation_is_refused():
    x = keras.Input((8,))
    dense = layers.Dense(8, name="tied")
    model = keras.Model(x, ops.matmul(ops.relu(dense(x)), dense.kernel))
    with pytest.raises(ParameterError, match="takes the weight 'tied/kernel'"):
        prune(model, ratio=0.5)


def test_a_token_of_one_axis_is_repeated_for_any_batch():
    def build(self, shape):
        self.token = self.add_weight(shape=(8,), initializer="normal", name="token")

    model = network(layer(lambda self, x: x + ops.tile(self.token, (ops.shape(x)[0], 1)), build))
    randomise(model, seed=0)
    pruned = prune(model, ratio=0.5)
    assert pruned.report.widths["block/token"] == (8, 4)
    assert pruned.model(np.ones((5, 8))).shape == (5, 3)
    assert verify(model, pruned) < 1e-5


def test_a_reshape_that_the_layer_holds_is_followed():
    def build(self, shape):
        self.dense = layers.Dense(8, name="dense")
        self.dense.build(shape)
        self.turn = layers.Reshape((2, 4, 8))

    model = network(layer(lambda self, x: self.turn(self.dense(x)), build), (8, 8))
    randomise(model, seed=0)
    pruned = prune(model, ratio=0.5)
    assert pruned.report.barriers == ()
    assert pruned.report.widths["block/dense"] == (8, 4)
    assert verify(model, pruned) < 1e-5
