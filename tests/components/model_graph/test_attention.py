"""Attention loses whole heads and places of values; its width goes with the residual stream."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from slimderm import Limits, prune, register_rule, verify
from slimderm.components.model_graph import custom_rules
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.proof import deviation, randomise

WIDTH, HEADS, PATCHES = 12, 4, 16


class Positions(layers.Layer):
    """Adds a vector for each place."""

    def __init__(self, width, **more):
        super().__init__(**more)
        self.width = width

    def build(self, shape):
        self.table = self.add_weight(shape=(1, shape[1], self.width), initializer="normal")

    def call(self, inputs):
        return inputs + self.table

    def get_config(self):
        return {**super().get_config(), "width": self.width}


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setattr(custom_rules, "_registered", {})
    register_rule(Positions, "channelwise", sizes=["width"])


def transformer(**more):
    """Patches, positions, two blocks with residuals, a mean over patches."""
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(WIDTH, 2, strides=2, name="patches")(image)
    x = Positions(WIDTH, name="positions")(layers.Reshape((PATCHES, WIDTH))(x))
    for block in "ab":
        y = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(HEADS, 6, name=f"attention_{block}", **more)(y, y)
        y = layers.Dense(32, activation="gelu", name=f"wide_{block}")(
            layers.LayerNormalization()(x)
        )
        x = x + layers.Dense(WIDTH, name=f"narrow_{block}")(y)
    model = keras.Model(image, layers.Dense(3, name="classes")(ops.mean(x, axis=1)))
    randomise(model, seed=0)
    return model


def cross():
    """Query of one stream, value and key of two others; an output of another width."""
    query, value = keras.Input((5, 6)), keras.Input((7, 4))
    q = layers.Dense(10, name="q")(query)
    v, k = (layers.Dense(8, name=name)(value) for name in "vk")
    key_dim = 5 if keras.backend.backend() == "jax" else 3  # Keras wants no others there
    x = layers.MultiHeadAttention(
        HEADS, key_dim, value_dim=5, output_shape=12, use_bias=False, name="attention"
    )(q, v, key=k)
    model = keras.Model([query, value], layers.Dense(2)(x))
    randomise(model, seed=0)
    return model


def batch(model):
    random = np.random.default_rng(0)
    found = [random.random((2, *x.shape[1:])).astype("float32") for x in model.inputs]
    return found if len(found) > 1 else found[0]


@pytest.mark.parametrize("moving", [False, True])
def test_a_vision_transformer_is_followed(moving, halved, tmp_path, on_jax, barriers_of):
    model = transformer()
    graph = trace(model, moving=moving)
    assert deviation(graph, halved(graph), batch(model)) < 1e-5
    pruned = prune(model, ratio=0.5, moving_statistics=moving)
    assert verify(model, pruned, batch(model)) < 1e-5
    widths = pruned.report.widths
    assert widths["attention_a/heads"] == (4, 2)
    assert widths["attention_a/values"] == (6, 6 if on_jax else 3)
    assert widths["wide_a"] == (32, 16)
    for name in ("patches", "attention_a", "narrow_a", "attention_b", "narrow_b"):
        assert widths[name] == (12, 6 if moving else 12)
    assert pruned.model.get_layer("positions").width == (6 if moving else 12)
    assert bool(barriers_of(pruned.report)) is not moving
    pruned.model.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras", {"Positions": Positions})
    np.testing.assert_allclose(again(batch(model)), pruned.model(batch(model)), atol=1e-6)


def test_query_value_and_key_of_their_own_are_followed(halved, on_jax, barriers_of):
    model = cross()
    graph = trace(model)
    assert barriers_of(graph) == []
    assert deviation(graph, halved(graph), batch(model)) < 1e-5
    pruned = prune(model, ratio=0.5)
    halves = {"q": 5, "v": 4, "k": 4, "attention": 6, "attention/heads": 2}
    halves["attention/values"] = 5 if on_jax else 2
    assert {
        name: after for name, (_, after) in pruned.report.widths.items() if name in halves
    } == halves
    assert verify(model, pruned, batch(model)) < 1e-5


def test_heads_and_values_can_be_kept(on_jax):
    pruned = prune(cross(), ratio=0.5, limits=Limits(keep=["*/heads"]))
    assert pruned.report.widths["attention/heads"] == (4, 4)
    assert pruned.report.widths["attention/values"] == (5, 5 if on_jax else 2)


def test_a_whole_head_of_attention_by_numpy():
    """What is left gives what the other heads gave."""
    inputs = keras.Input((5, 8))
    model = keras.Model(inputs, layers.MultiHeadAttention(2, 4, name="attention")(inputs, inputs))
    randomise(model, seed=0)
    layer, x = model.get_layer("attention"), batch(model)

    def head(number):
        q, k, v = (
            np.einsum("btd,dk->btk", x, np.asarray(part.kernel)[:, number])
            + np.asarray(part.bias)[number]
            for part in (layer.query_dense, layer.key_dense, layer.value_dense)
        )
        scores = np.einsum("bik,bjk->bij", q, k) / 2
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        return np.einsum("bij,bjv->biv", weights, v) @ np.asarray(layer.output_dense.kernel)[number]

    graph = trace(model)
    keep = np.ones(graph.num_coupled, bool)
    keep[graph.producers["attention/heads"].labels[0]] = False
    from slimderm.components.pruning.surgery import remove

    left = remove(graph, keep)
    np.testing.assert_allclose(left(x), head(1) + np.asarray(layer.output_dense.bias), atol=1e-5)


def test_a_gate_goes_with_its_heads_and_values(halved, on_jax):
    model = transformer(use_gate=True)
    graph = trace(model)
    assert deviation(graph, halved(graph), batch(model)) < 1e-5
    pruned = prune(model, ratio=0.5)
    assert verify(model, pruned, batch(model)) < 1e-5
    gate = pruned.model.get_layer("attention_a")._gate_dense
    assert gate.kernel.shape == (12, 2, 6 if on_jax else 3)


def test_what_is_not_followed_is_a_barrier():
    inputs = keras.Input((5, 6))
    x = layers.Dense(8, name="first")(inputs)
    x = layers.MultiHeadAttention(2, 4, name="attention", output_shape=(4, 4))(x, x)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    graph = trace(model)
    assert [barrier.path for barrier in graph.barriers] == ["attention"]
