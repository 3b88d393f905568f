"""Einsum layers and operations are followed by their letters."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from slimderm import prune, verify
from slimderm.components.model_graph.einsum_letters import axis_letters
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.proof import deviation, randomise

WIDTH = 8
DENSE = {
    "as a dense layer": ("abc,cd->abd", (None, 6), "d", {"einsum": (6, 3)}),
    "with an ellipsis": ("...x,xy->...y", 6, "y", {"einsum": (6, 3)}),
    "behind the ellipsis": ("ab...,bc->ac...", 6, "c", {"einsum": (6, 3)}),
    "moved": ("abc,cd->adb", (6, None), "d", {"einsum": (6, 3)}),
    "heads": ("abc,cde->abde", (None, 4, 6), "de", {"einsum/d": (4, 2), "einsum/e": (6, 3)}),
    "bias of heads": ("abc,cde->abde", (None, 4, 6), "d", {"einsum/d": (4, 2), "einsum/e": (6, 3)}),
    "a weight for each channel": ("abc,c->abc", (None, WIDTH), "c", {}),
    "a kernel for each place": ("abc,bcd->abd", (5, 6), "bd", {"einsum": (6, 3)}),
}


def network(equation, shape, bias, **more):
    inputs = keras.Input((5, 3))
    x = layers.Dense(WIDTH, activation="relu", name="before")(inputs)
    if equation.startswith("ab..."):  # there the channels come before the places
        x = layers.Permute((2, 1))(x)
    x = layers.EinsumDense(equation, shape, bias_axes=bias, name="einsum", **more)(x)
    if equation.endswith(("adb", "ac...")):
        x = layers.Permute((2, 1))(x)
    if len(x.shape) == 4:
        x = layers.EinsumDense("abde,def->abf", (x.shape[1], 4), bias_axes="f", name="joined")(x)
    x = layers.Dense(4, name="after")(x)
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)))
    randomise(model, seed=0)
    return model


def batch():
    return np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")


@pytest.mark.parametrize("kind", DENSE)
def test_an_einsum_layer_is_followed(kind, halved, tmp_path):
    equation, shape, bias, expected = DENSE[kind]
    model = network(equation, shape, bias)
    graph = trace(model)
    assert graph.barriers == ()
    assert deviation(graph, halved(graph), batch()) < 1e-5
    pruned = prune(model, ratio=0.5)
    assert verify(model, pruned, batch()) < 1e-5
    widths = pruned.report.widths
    assert widths["before"] == (WIDTH, WIDTH // 2)
    assert {name: width for name, width in widths.items() if name.startswith("einsum")} == expected
    pruned.model.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_allclose(again(batch()), pruned.model(batch()), atol=1e-6)
    again.compile("sgd", "mse")
    assert np.isfinite(again.train_on_batch(batch(), np.zeros((2, 2))))


@pytest.mark.parametrize(
    ("equation", "shape", "more"),
    [
        ("abc,cd->abd", (None, 6), {"activation": "softmax"}),
        ("abc,bd->abd", (5, 6), {}),
        ("abc,cd->abd", (None, 6), {"lora_rank": 2}),
    ],
)
def test_what_mixes_channels_is_a_barrier(equation, shape, more):
    model = network(equation, shape, "d", **more)
    assert {barrier.path for barrier in trace(model).barriers} == {"einsum"}


def test_multiplications_of_an_einsum_layer_are_counted():
    """By hand: five places of 3 · 8, 8 · 4 · 6, 4 · 6 · 4 and 4 · 4, and the last layer's 4 · 2."""
    model = network("abc,cde->abde", (5, 4, 6), "de")
    report = prune(model, ratio=0.5).report
    assert report.multiply_accumulates[0] == 5 * (24 + 192 + 96 + 16) + 8
    assert report.multiply_accumulates[1] == 5 * (12 + 24 + 12 + 4) + 4


@pytest.mark.parametrize("criterion", ["taylor", "activation"])
def test_criteria_of_data_score_what_it_makes(criterion):
    model = network(*DENSE["heads"][:3])
    data = [(batch(), np.eye(2))]
    pruned = prune(model, ratio=0.5, criterion=criterion, data=data, loss="mse")
    assert pruned.report.widths["einsum/d"] == (4, 2)
    assert verify(model, pruned, batch()) < 1e-5


def test_attention_written_by_hand_loses_heads_and_values(halved):
    """The places by which heads are compared are summed over, and stay."""
    inputs = keras.Input((5, 3))
    x = layers.Dense(WIDTH, name="before")(inputs)
    q, k, v = (
        layers.EinsumDense("abc,cde->adbe", (4, 5, 6), bias_axes="de", name=name)(x)
        for name in "qkv"
    )
    weights = layers.Softmax()(ops.einsum("adbe,adfe->adbf", q, k))
    x = layers.EinsumDense("adbe,def->abf", (5, 4), name="joined")(ops.matmul(weights, v))
    model = keras.Model(inputs, layers.Dense(2)(x))
    randomise(model, seed=0)
    graph = trace(model)
    assert {barrier.reason for barrier in graph.barriers} == {"sums over the channels"}
    assert deviation(graph, halved(graph), batch()) < 1e-5
    pruned = prune(model, ratio=0.5)
    assert verify(model, pruned, batch()) < 1e-5
    expected = {"q/d": (4, 2), "k/d": (4, 2), "v/d": (4, 2), "v/e": (6, 3), "q/e": (6, 6)}
    assert {name: pruned.report.widths[name] for name in expected} == expected


def test_letters_by_hand():
    assert axis_letters("ab,bc->ac", [2, 2]) == ([["a", "b"], ["b", "c"]], ["a", "c"])
    operands, result = axis_letters("...ij,jk", [4, 2])
    assert operands == [["...1", "...0", "i", "j"], ["j", "k"]]
    assert result == ["...1", "...0", "i", "k"]
