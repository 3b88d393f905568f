"""Grouped-query attention loses a head of key and value with the query heads that share it."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from slimderm import prune, verify
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.proof import deviation, randomise
from slimderm.components.pruning.surgery import remove


def network(**more):
    inputs = keras.Input((5, 3))
    x = layers.Dense(12, name="before")(inputs)
    attention = layers.GroupQueryAttention(3, 8, 4, name="attention", **more)
    x = layers.Dense(6, name="after")(x + attention(x, x))
    model = keras.Model(inputs, layers.Dense(2)(ops.mean(x, axis=1)))
    randomise(model, seed=0)
    return model


def batch():
    return np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")


@pytest.mark.parametrize(
    "more", [{}, {"use_bias": False}, {"use_gate": True}, {"sliding_window": 2}]
)
def test_heads_go_by_groups(more, halved, tmp_path):
    model = network(**more)
    graph = trace(model)
    assert graph.barriers == ()
    assert deviation(graph, halved(graph), batch()) < 1e-5
    pruned = prune(model, ratio=0.5)
    assert verify(model, pruned, batch()) < 1e-5
    assert pruned.report.widths["attention/heads"] == (4, 2)
    assert pruned.report.widths["before"] == pruned.report.widths["attention"] == (12, 6)
    layer = pruned.model.get_layer("attention")
    assert (layer.num_query_heads, layer.num_key_value_heads, layer.head_dim) == (4, 2, 3)
    pruned.model.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_allclose(again(batch()), pruned.model(batch()), atol=1e-6)
    again.compile("sgd", "mse")
    assert np.isfinite(again.train_on_batch(batch(), np.zeros((2, 2))))


def test_query_and_value_of_their_own_keep_one_width(halved):
    """Keras refuses a query and a value of different widths."""
    query, value = keras.Input((5, 3)), keras.Input((7, 4))
    x = layers.GroupQueryAttention(3, 4, 2, name="attention")(
        layers.Dense(8, name="q")(query), layers.Dense(8, name="v")(value)
    )
    model = keras.Model([query, value], layers.Dense(2)(x))
    randomise(model, seed=0)
    draw = np.random.default_rng(0)
    given = [draw.normal(size=(2, *x.shape[1:])).astype("float32") for x in model.inputs]
    graph = trace(model)
    assert graph.barriers == ()
    assert deviation(graph, halved(graph), given) < 1e-5
    widths = prune(model, ratio=0.5).report.widths
    assert widths["q"] == widths["v"] == widths["attention"] == (8, 4)


def test_a_whole_group_of_heads_by_numpy():
    """What is left gives what the other heads gave."""
    inputs = keras.Input((5, 8))
    model = keras.Model(
        inputs, layers.GroupQueryAttention(3, 4, 2, name="attention")(inputs, inputs)
    )
    randomise(model, seed=0)
    layer = model.get_layer("attention")
    x = np.random.default_rng(0).normal(size=(2, 5, 8)).astype("float32")

    def projected(part, head):
        return (
            np.einsum("btd,dk->btk", x, np.asarray(part.kernel)[:, head])
            + np.asarray(part.bias)[head]
        )

    def head(number):
        q = projected(layer._query_dense, number)
        k, v = (projected(part, number // 2) for part in (layer._key_dense, layer._value_dense))
        scores = np.exp(np.einsum("bik,bjk->bij", q, k) / np.sqrt(3))
        weights = scores / scores.sum(-1, keepdims=True)
        kernel = np.asarray(layer._output_dense.kernel)[number]
        return np.einsum("bij,bjv->biv", weights, v) @ kernel

    graph = trace(model)
    keep = np.ones(graph.num_coupled, bool)
    keep[graph.producers["attention/heads"].labels[0]] = False
    expected = head(2) + head(3) + np.asarray(layer._output_dense.bias)
    np.testing.assert_allclose(remove(graph, keep)(x), expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["grouped", "of heads"])
def test_a_mask_is_no_obstacle_unless_it_is_made_of_channels(kind, halved, barriers_of):
    inputs, mask = keras.Input((5, 6)), keras.Input((5, 5), dtype="bool")
    x = layers.Dense(8, name="first")(inputs)

    def masked(given):
        layer = {
            "grouped": lambda: layers.GroupQueryAttention(3, 4, 2, name="attention"),
            "of heads": lambda: layers.MultiHeadAttention(4, 3, name="attention"),
        }[kind]()
        y = layer(x, x, attention_mask=given)
        model = keras.Model([inputs, mask], layers.Dense(2)(layers.Flatten()(y)))
        randomise(model, seed=0)
        return model

    random = np.random.default_rng(0)
    values = random.random((2, 5, 6)).astype("float32")
    graph = trace(masked(mask))
    assert not barriers_of(graph)
    assert graph.free.any()
    assert deviation(graph, halved(graph), [values, random.random((2, 5, 5)) > 0.3]) < 1e-5
    made = layers.Dense(5, activation="sigmoid", name="mask")(inputs)
    assert [barrier.reason for barrier in barriers_of(trace(masked(made > 0.5)))] == [
        "a mask made of channels"
    ]
