"""Layers that count places in Python are followed where a length is not known yet."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from slimderm import prune, register_rule, verify
from slimderm.components.model_graph import custom_rules, lengths
from slimderm.components.model_graph.plain import plain
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.proof import randomise

WIDTH, HEADS = 8, 4


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setattr(custom_rules, "_registered", {})


def network(call, *, inputs=1):
    """A layer of such a call behind dense layers, on sequences of unknown lengths."""

    class Made(layers.Layer):
        def __init__(self, **more):
            super().__init__(**more)
            if call is heads:
                self.table = self.add_weight(shape=(64, HEADS), name="table")
            else:
                self.gain = self.add_weight(shape=(), name="gain")
            self.built = True

        def compute_output_spec(self, x, *others):
            return keras.KerasTensor(x.shape, x.dtype)

    Made.call = call
    register_rule(Made, "composite")
    given = [keras.Input((None, WIDTH)) for _ in range(inputs)]
    wide = [layers.Dense(WIDTH, name=f"first_{i}")(x) for i, x in enumerate(given)]
    model = keras.Model(
        given if inputs > 1 else given[0], layers.Dense(3)(Made(name="block")(*wide))
    )
    randomise(model, seed=0)
    return model


def causal(self, x):
    """Averages over the places before, by a mask of zeros and ones."""
    batch, length, _ = ops.shape(x)
    places = ops.arange(length, dtype="float32")
    mask = ops.expand_dims(ops.expand_dims(places, 1) >= places, 0)
    mask = ops.cast(ops.broadcast_to(mask, (batch, length, length)), "float32")
    seen = mask / (1.0 + ops.arange(length, dtype="float32"))[:, None]
    return ops.einsum("bij,bjc->bic", seen, x) * self.gain


def heads(self, x):
    """Sets heads apart, adds a number for each distance, and lays them together again."""
    batch, length, width = ops.shape(x)
    y = ops.reshape(x, (batch, length, HEADS, width // HEADS))
    y = ops.reshape(ops.relu(y), (batch, -1, HEADS, width // HEADS))
    apart = ops.abs(ops.arange(0, length)[:, None] - 2)
    y = y + ops.take(self.table, apart, axis=0)[None, :, 0, :, None]
    return ops.reshape(y, (ops.shape(y)[0], ops.shape(y)[1], -1))


def filled(self, x):
    """Tensors of one value, of a length."""
    length = ops.shape(x)[1]
    ones = ops.ones((1, length, 1)) + ops.full((length, 1), 2.0) * ops.zeros((length, 1))
    kept = ops.ones((length,), "bool")
    return x * ones * ops.cast(kept, "float32")[:, None] * self.gain


FOLLOWED = {"causal": causal, "heads": heads, "filled": filled}


@pytest.mark.parametrize("kind", FOLLOWED)
def test_it_computes_the_same_at_any_length(kind, halved, tmp_path):
    model = network(FOLLOWED[kind])
    pruned = prune(model, ratio=0.5)
    assert pruned.report.barriers == ()
    assert pruned.report.widths["first_0"] == (WIDTH, WIDTH // 2)
    assert verify(model, pruned) < 1e-5
    followed = plain(model)
    for batch, length in ((1, 3), (3, 11)):
        x = np.random.default_rng(length).normal(size=(batch, length, WIDTH)).astype("float32")
        np.testing.assert_allclose(followed(x), model(x), atol=1e-5)
    pruned.model.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_allclose(again(x), pruned.model(x), atol=1e-6)


def test_lengths_of_two_tensors_are_told_apart():
    """Each place of the first sees as many of the second as it has before it."""

    def call(self, x, y):
        ours, theirs = ops.arange(ops.shape(x)[1]), ops.arange(ops.shape(y)[1])
        seen = ops.cast(ops.expand_dims(ours, 1) >= ops.expand_dims(theirs, 0), "float32")
        return x + ops.einsum("ij,bjc->bic", seen, y) * self.gain

    model = network(call, inputs=2)
    followed = plain(model)
    draw = np.random.default_rng(0)
    for ours, theirs in ((4, 9), (9, 4)):
        x, y = (draw.normal(size=(2, n, WIDTH)).astype("float32") for n in (ours, theirs))
        np.testing.assert_allclose(followed([x, y]), model([x, y]), atol=1e-5)
    pruned = prune(model, ratio=0.5)
    assert pruned.report.barriers == ()
    assert verify(model, pruned, [x, y]) < 1e-5


def compared(self, x):
    return x * self.gain if ops.shape(x)[1] > 512 else x


def equal(self, x):
    return x * self.gain if ops.shape(x)[1] == 1 else x


def steps(self, x):
    for place in range(ops.shape(x)[1]):
        x = x + self.gain * place
    return x


def two_lengths(self, x):
    batch, length, _ = ops.shape(x)
    y = ops.einsum("bic,bjc->bij", x, x)
    y = ops.reshape(y, (batch, 1, length, length))
    return x * ops.mean(y) * self.gain


def some_places(self, x):
    return x[:, : ops.shape(x)[1]] * self.gain


def every_other(self, x):
    return x + ops.cast(ops.arange(0, ops.shape(x)[1], 2), "float32")[0] * self.gain


def an_argument(self, x):
    return ops.repeat(x, ops.shape(x)[1], axis=1)[:, :1] * self.gain + x


def from_the_second(self, x):
    return x * self.gain + ops.cast(ops.arange(1, ops.shape(x)[1]), "float32")[0]


REFUSED = (
    compared, equal, steps, two_lengths, some_places, every_other, from_the_second, an_argument,
)  # fmt: skip


@pytest.mark.parametrize("call", REFUSED)
def test_what_might_be_different_at_another_length_is_a_barrier(call):
    barriers = {barrier.path: barrier.reason for barrier in trace(network(call)).barriers}
    assert "cannot be followed" in barriers["block"] or "a length that is not" in barriers["block"]


def test_operations_are_as_they_were():
    known = {name: getattr(ops, name) for name in lengths.TAKING}
    trace(network(compared))
    assert {name: getattr(ops, name) for name in lengths.TAKING} == known


def test_the_proof_notices_places_that_are_counted_from_one(monkeypatch):
    right = lengths.Length.places.func
    wrong = property(lambda self: ops.add(right(self), 1))
    monkeypatch.setattr(lengths.Length, "places", wrong)
    model = network(causal)
    assert verify(model, prune(model, ratio=0.5)) > 1e-2
