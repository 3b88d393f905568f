"""What language models are made of: embeddings and their reverse, turned pairs, masks."""

from functools import partial

import keras
import numpy as np
import pytest
from keras import layers, ops

from slimderm import register_rule
from slimderm.components.model_graph import custom_rules, kinds, rules_attention
from slimderm.components.model_graph.channel_labels import Coupling
from slimderm.components.model_graph.composite import Composite
from slimderm.components.model_graph.decoders import without_cache
from slimderm.components.model_graph.standard import Standard, rms_normalization
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.proof import deviation, randomise


class Turned(layers.Layer):
    """Turns pairs of the last axis by an angle for each place."""

    sequence_axis, feature_axis = 1, -1

    def call(self, x):
        angles = ops.cumsum(ops.ones_like(x), axis=1)
        first, second = ops.split(x, 2, axis=-1)
        return x * ops.cos(angles) + ops.concatenate([-second, first], -1) * ops.sin(angles)


class RootMeanSquare(layers.Layer):
    """Divides by the root of the mean square of the channels; its config lacks epsilon."""

    epsilon = 1e-3

    def build(self, shape):
        self.gain = self.add_weight(shape=(shape[-1],), name="gain")

    def call(self, x):
        return x * ops.rsqrt(ops.mean(x * x, axis=-1, keepdims=True) + 1e-3) * (self.gain + 1)


class Positions(layers.Layer):
    """A vector for each of as many places as there are channels."""

    def build(self, shape):
        self.table = self.add_weight(shape=(8, shape[-1]), name="table")

    def call(self, x):
        return ops.broadcast_to(self.table[: x.shape[1]], ops.shape(x))

    def compute_output_shape(self, shape):
        return shape


class Decoder(layers.Layer):
    """Attention to places before, by a mask that is counted in Python."""

    sliding_window = 3

    def build(self, shape):
        self._self_attention_layer = layers.MultiHeadAttention(4, 2, name="attention")
        self._self_attention_layer.build(shape, shape)

    def call(self, x):
        places = ops.arange(ops.shape(x)[1])
        before = places[:, None] - places
        mask = ops.expand_dims(ops.logical_and(before >= 0, before < self.sliding_window), 0)
        return x + self._self_attention_layer(query=x, value=x, attention_mask=mask)


PARTS = {"_self_attention_layer": without_cache}
RMS = Standard(partial(rms_normalization, scale="gain", offset=1))


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setattr(custom_rules, "_registered", {})
    register_rule(Turned, rules_attention.rotary)
    register_rule(RootMeanSquare, RMS)
    register_rule(Positions, lambda *given: kinds.channelwise(*given, axis_of_weights=-1))
    register_rule(Decoder, Composite(PARTS))


def language(*, tied=True):
    tokens = keras.Input((None,), dtype="int32")
    embedding = layers.ReversibleEmbedding(9, 8, tie_weights=tied, name="tokens")
    x = embedding(tokens)
    x = x + Positions(name="places")(x)
    query, key = (
        Turned()(layers.EinsumDense("btc,chd->bthd", (None, 4, 2), name=name)(x))
        for name in ("query", "key")
    )
    mask = ops.equal(ops.zeros_like(query[:, :, 0, :1]), 0)  # (batch, places, 1)
    scores = layers.Softmax()(ops.einsum("bthd,bshd->bhts", query, key), mask[:, None])
    value = layers.EinsumDense("btc,chd->bthd", (None, 4, 3), name="value")(x)
    y = ops.einsum("bhts,bshd->bthd", scores, value)
    x = x + layers.EinsumDense("bthd,hdc->btc", (None, 8), name="join")(y)
    x = Decoder(name="decoder")(x)
    x = RootMeanSquare(name="norm")(x)
    model = keras.Model(tokens, embedding(x, reverse=True))
    randomise(model, seed=0)
    return model


TOKENS = np.random.default_rng(0).integers(0, 9, (2, 5))


@pytest.mark.parametrize("tied", [True, False])
def test_a_language_model_is_pruned(tied, halved, on_jax):
    model = language(tied=tied)
    graph = trace(model)
    whole = {path for path, made in graph.producers.items() if not graph.free[made.labels].any()}
    stays = {"tokens", "join", "decoder/attention", "query/d", "key/d"}
    assert whole == stays | ({"decoder/attention/values"} if on_jax else set())
    assert deviation(graph, halved(graph), TOKENS) < 1e-5
    moving = trace(model, moving=True)
    keep = halved(moving)
    assert keep[moving.producers["tokens"].labels].sum() == 4
    assert deviation(moving, keep, TOKENS) < 1e-5
    for tokens in (TOKENS, TOKENS[:1, :2]):  # whatever their number
        np.testing.assert_allclose(graph.model(tokens), model(tokens), atol=1e-5)


def other_rule(kind):
    """A rule that gives the layer's weights the channels of other places."""
    right = custom_rules.custom_rule(kind)

    def wrong(coupling, call, inputs):
        right(coupling, call, [tuple(_turned(x) for x in inputs[0]), *inputs[1:]])
        return inputs[0]

    return wrong


def _turned(labels):
    return None if labels is None else labels[::-1]


def test_the_proof_notices_channels_in_the_wrong_order():
    """Weights lose other channels than what they are multiplied with or added to."""
    register_rule(Positions, other_rule(Positions))
    x = inputs = keras.Input((5, 3))
    x = Positions()(layers.Dense(8, name="first")(x))
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))
    randomise(model, seed=0)
    graph = trace(model, moving=True)
    keep = np.ones(graph.num_coupled, bool)
    keep[graph.producers["first"].labels[:3]] = False
    values = np.random.default_rng(0).random((2, 5, 3)).astype("float32")
    assert deviation(graph, keep, values) > 1e-2


def test_the_proof_notices_heads_in_the_wrong_order():
    def wrong(coupling, call, inputs):
        return tuple(_turned(x) for x in rules_attention.rotary(coupling, call, inputs))

    register_rule(Turned, wrong)
    inputs = keras.Input((5, 3))
    x = Turned()(layers.EinsumDense("btc,chd->bthd", (None, 4, 2), name="first")(inputs))
    model = keras.Model(inputs, layers.EinsumDense("bthd,hdc->btc", (None, 3))(x))
    randomise(model, seed=0)
    graph = trace(model)
    keep = np.ones(graph.num_coupled, bool)
    keep[graph.producers["first/h"].labels[:1]] = False
    values = np.random.default_rng(0).random((2, 5, 3)).astype("float32")
    assert deviation(graph, keep, values) > 1e-2


def test_the_proof_notices_a_reverse_that_keeps_its_rows(monkeypatch):
    """Rows of the reverse are sliced as the embedding's columns; here the wrong ones are."""
    hold = Coupling.hold

    def wrong(self, layer, variable, axis, labels):
        back = variable is getattr(layer, "reverse_embeddings", 0)
        return hold(self, layer, variable, axis, labels[::-1] if back else labels)

    monkeypatch.setattr(Coupling, "hold", wrong)
    graph = trace(language(tied=False), moving=True)
    keep = np.ones(graph.num_coupled, bool)
    keep[graph.producers["tokens"].labels[:3]] = False
    assert deviation(graph, keep, TOKENS) > 1e-2


def test_a_softmax_by_a_mask_made_of_channels_is_a_barrier():
    inputs = keras.Input((5, 3))
    mask = layers.Dense(4, name="mask")(inputs) > 0
    scores = layers.Softmax(axis=1)(layers.Dense(4, name="scores")(inputs), mask)
    graph = trace(keras.Model(inputs, layers.Dense(2)(layers.Flatten()(scores))))
    assert [barrier.reason for barrier in graph.barriers] == ["a mask made of channels"]


def test_turned_pairs_at_places_that_are_given_are_a_barrier():
    class Given(Turned):
        def call(self, x, positions):
            return x + positions

    register_rule(Given, rules_attention.rotary)
    inputs = keras.Input((5, 4))
    x = layers.Dense(4, name="first")(inputs)
    graph = trace(keras.Model(inputs, layers.Dense(2)(Given()(x, inputs))))
    assert [barrier.reason for barrier in graph.barriers] == ["places that are given to it"]
