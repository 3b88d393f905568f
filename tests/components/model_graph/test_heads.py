"""Attention by dense layers and reshapes: heads go whole, however it is written."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from slimderm import prune, verify
from slimderm.components.model_graph import rules, rules_operations, rules_reshape
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.proof import deviation, randomise

HEADS, SIZE = 4, 3
WIDTH = HEADS * SIZE


def apart(x, name, heads=HEADS):
    x = layers.Dense(heads * SIZE, name=name)(x)
    return layers.Reshape((-1, heads, SIZE))(x)


def by_einsum(x, y):
    """Queries, keys and values of dense layers of their own."""
    query, key, value = (apart(x, name) for name in ("query", "key", "value"))
    scores = ops.softmax(ops.einsum("bqnd,bknd->bnqk", query, key))
    return layers.Reshape((-1, WIDTH))(ops.einsum("bnqk,bknd->bqnd", scores, value))


def by_one_kernel_each(x):
    """Queries, keys and values, whose kernels make heads and their places apart."""
    return (
        layers.EinsumDense("btc,cnd->btnd", (None, HEADS, SIZE), name=name)(x)
        for name in ("query", "key", "value")
    )


def both_axes(x, y):
    """Heads and their places are made apart by one kernel, and laid together again."""
    query, key, value = by_one_kernel_each(x)
    scores = ops.softmax(ops.einsum("bqnd,bknd->bnqk", query, key))
    return layers.Reshape((-1, WIDTH))(ops.einsum("bnqk,bknd->bqnd", scores, value))


def a_number_for_each_head(x, y):
    """As the one before; heads are told apart by constants."""
    query, key, value = by_one_kernel_each(x)
    slopes = np.arange(HEADS, dtype="float32")[:, None, None]
    scores = ops.softmax(ops.einsum("bqnd,bknd->bnqk", query, key) * slopes)
    return layers.Reshape((-1, WIDTH))(ops.einsum("bnqk,bknd->bqnd", scores, value))


def fused(x, y):
    """Queries of one sequence, keys and values of another."""
    found = ops.dot_product_attention(
        *(apart(z, name) for z, name in zip((x, y, y), "qkv", strict=True))
    )
    return layers.Reshape((-1, WIDTH))(found)


def grouped(x, y):
    """Two heads of the query for each of key and value."""
    key, value = (apart(y, name, HEADS // 2) for name in "kv")
    return layers.Reshape((-1, WIDTH))(ops.dot_product_attention(apart(x, "q"), key, value))


# What is left of each.
LEFT = {
    by_einsum: {"query": 6, "key": 6, "value": 6},
    both_axes: {"query/n": 2, "key/n": 2, "value/n": 2, "value/d": 3, "query/d": 3},
    a_number_for_each_head: {"query/n": 4, "key/n": 4, "value/n": 4, "value/d": 1},
    fused: {"q": 6, "k": 6, "v": 6},
}
if keras.backend.backend() == "jax":  # others want as many
    LEFT[grouped] = {"q": 6, "k": 3, "v": 3}


def network(kind):
    x, y = keras.Input((None, 5)), keras.Input((None, 6))
    z = layers.Dense(4, name="out")(kind(x, y))
    model = keras.Model([x, y], layers.Dense(2)(z) + ops.mean(y))
    randomise(model, seed=0)
    return model


def batch():
    draw = np.random.default_rng(0)
    return [draw.normal(size=(2, n, c)).astype("float32") for n, c in ((7, 5), (4, 6))]


@pytest.mark.parametrize("kind", LEFT)
def test_heads_go_whole(kind, halved):
    model = network(kind)
    graph = trace(model)
    assert deviation(graph, halved(graph), batch()) < 1e-5
    pruned = prune(model, ratio=0.5)
    assert verify(model, pruned, batch()) < 1e-5
    widths = {path: after for path, (_, after) in pruned.report.widths.items()}
    assert {path: widths[path] for path in LEFT[kind]} == LEFT[kind]


def _turned(axes):
    return tuple(None if labels is None else labels[::-1] for labels in axes)


def test_the_proof_notices_wrong_heads(monkeypatch):
    right = rules_operations.OPERATION_RULES["DotProductAttention"]
    wrong = {"DotProductAttention": lambda *given: _turned(right(*given))}
    monkeypatch.setattr(
        rules_operations, "OPERATION_RULES", rules_operations.OPERATION_RULES | wrong
    )
    monkeypatch.setattr(rules, "OPERATION_RULES", rules_operations.OPERATION_RULES)
    _check_noticed(network(fused), "v")


def test_the_proof_notices_places_that_are_laid_in_another_order(monkeypatch):
    right = rules_reshape._behind_unknown

    def wrong(coupling, call, axes, before, after):
        found = right(coupling, call, axes, before, after)
        return _turned(found) if len(after) < len(before) else found

    monkeypatch.setattr(rules_reshape, "_behind_unknown", wrong)
    _check_noticed(network(by_einsum), "value")


def _check_noticed(model, name):
    graph = trace(model)
    keep = np.ones(graph.num_coupled, bool)
    keep[graph.producers[name].labels[:SIZE]] = False
    assert deviation(graph, keep, batch()) > 1e-2


def test_a_mask_of_channels_keeps_them():
    x = keras.Input((5, 6))
    mask = layers.Dense(5, name="mask")(x)[:, None] > 0
    y = ops.dot_product_attention(apart(x, "q"), apart(x, "k"), apart(x, "v"), mask=mask)
    graph = trace(keras.Model(x, layers.Dense(2)(layers.Reshape((-1, WIDTH))(y))))
    assert "a mask made of channels" in {barrier.reason for barrier in graph.barriers}
