"""Units of recurrent layers go with all their gates, in one direction and in two."""

import keras
import numpy as np
import pytest
from keras import layers

from slimderm import prune, verify
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.proof import deviation, randomise

UNITS = 8
FOLLOWED = {
    "simple": lambda: layers.SimpleRNN(UNITS),
    "gru": lambda: layers.GRU(UNITS, return_sequences=True),
    "gru, reset before": lambda: layers.GRU(UNITS, reset_after=False),
    "lstm": lambda: layers.LSTM(UNITS, return_sequences=True),
    "lstm, no bias": lambda: layers.LSTM(UNITS, use_bias=False, go_backwards=True),
    "both ways": lambda: layers.Bidirectional(layers.LSTM(UNITS, return_sequences=True)),
    "both ways, summed": lambda: layers.Bidirectional(layers.GRU(UNITS), merge_mode="sum"),
}
BARRIERS = {
    "states": lambda: layers.LSTM(UNITS, return_state=True),
    "kept states": lambda: layers.GRU(UNITS, stateful=True),
    "softmax": lambda: layers.SimpleRNN(UNITS, activation="softmax"),
    "both ways, apart": lambda: layers.Bidirectional(layers.GRU(UNITS), merge_mode=None),
}


def network(make):
    inputs = keras.Input((5, 3), batch_size=2)
    x = layers.Conv1D(6, 3, padding="same", name="before")(inputs)
    x = make()(x)
    x = x[0] if isinstance(x, list | tuple) else x
    model = keras.Model(inputs, layers.Dense(2)(layers.Dense(4, name="after")(x)))
    randomise(model, seed=0)
    return model


def batch():
    return np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")


@pytest.mark.parametrize("kind", FOLLOWED)
def test_units_go_with_their_gates(kind, halved, tmp_path):
    model = network(FOLLOWED[kind])
    graph = trace(model)
    assert graph.barriers == ()
    assert deviation(graph, halved(graph), batch()) < 1e-5
    pruned = prune(model, ratio=0.5)
    assert verify(model, pruned, batch()) < 1e-5
    layer = pruned.model.layers[2]
    ways = [layer] if hasattr(layer, "units") else [layer.forward_layer, layer.backward_layer]
    assert [each.units for each in ways] == [UNITS // 2] * len(ways)
    pruned.model.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_allclose(again(batch()), pruned.model(batch()), atol=1e-6)


@pytest.mark.parametrize("kind", BARRIERS)
def test_what_is_not_followed_is_a_barrier(kind):
    graph = trace(network(BARRIERS[kind]))
    assert len(graph.barriers) >= 1
    free = {group.name: bool(group.free.any()) for group in graph.groups}
    assert free == {
        "before": False,
        "after": True,
        **{k: v for k, v in free.items() if "dense" in k},
    }


def test_multiplications_of_steps_are_counted():
    """By hand: five steps of (6 + 8) · 4 · 8, the convolution's 5 · 3 · 3 · 6, and two dense."""
    report = prune(network(lambda: layers.LSTM(UNITS)), ratio=0.5).report
    assert report.multiply_accumulates[0] == 5 * (6 + 8) * 32 + 5 * 54 + 8 * 4 + 4 * 2
    assert report.multiply_accumulates[1] == 5 * (3 + 4) * 16 + 5 * 27 + 4 * 2 + 2 * 2


PICTURES = {
    "rows": lambda: layers.ConvLSTM1D(UNITS, 3, padding="same", return_sequences=True),
    "pictures": lambda: layers.ConvLSTM2D(UNITS, 3, strides=2),
    "no bias": lambda: layers.ConvLSTM2D(UNITS, 2, use_bias=False, go_backwards=True),
    "volumes": lambda: layers.ConvLSTM3D(UNITS, (2, 2, 1), return_sequences=True),
}


def film(make, kind):
    size = {"rows": (6,), "volumes": (6, 6, 2)}.get(kind, (6, 6))
    inputs = keras.Input((4, *size, 3), batch_size=2)
    x = make()(layers.Dense(6, activation="relu", name="before")(inputs))
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(layers.Dense(4, name="after")(x))))
    randomise(model, seed=0)
    return model, np.random.default_rng(0).normal(size=inputs.shape).astype("float32")


@pytest.mark.parametrize("kind", PICTURES)
def test_filters_of_a_recurrent_convolution_go_with_their_gates(kind, halved, tmp_path):
    model, given = film(PICTURES[kind], kind)
    graph = trace(model)
    assert graph.barriers == ()
    assert deviation(graph, halved(graph), given) < 1e-5
    pruned = prune(model, ratio=0.5)
    assert verify(model, pruned, given) < 1e-5
    assert pruned.model.layers[2].filters == UNITS // 2
    assert pruned.report.widths["before"] == (6, 3)
    pruned.model.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_allclose(again(given), pruned.model(given), atol=1e-6)
    again.compile("sgd", "mse")
    assert np.isfinite(again.train_on_batch(given, np.zeros((2, 2))))


def test_multiplications_of_a_recurrent_convolution_are_counted():
    """By hand: four steps of 2 x 2 places, each 3 · 3 · (6 + 8) · 32; three dense layers beside."""
    model, _ = film(PICTURES["pictures"], "pictures")
    before, after = prune(model, ratio=0.5).report.multiply_accumulates
    assert before == 4 * 4 * 9 * 14 * 32 + 4 * 36 * 3 * 6 + 4 * 8 * 4 + 16 * 2
    assert after == 4 * 4 * 9 * 7 * 16 + 4 * 36 * 3 * 3 + 4 * 4 * 2 + 8 * 2


@pytest.mark.parametrize("kind", ["states", "softmax", "both ways"])
def test_recurrent_convolutions_that_are_not_followed(kind):
    more = {"states": {"return_state": True}, "softmax": {"activation": "softmax"}}.get(kind, {})
    layer = layers.ConvLSTM2D(UNITS, 3, name="film", **more)
    if kind == "both ways":
        layer = layers.Bidirectional(layer, name="film")
    inputs = keras.Input((4, 6, 6, 3))
    x = layer(layers.Dense(6, name="before")(inputs))
    x = x[0] if isinstance(x, list | tuple) else x
    graph = trace(keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x))))
    assert {barrier.path for barrier in graph.barriers} == {"film"}


def masked(*, by_hand=False):
    """Steps whose token is 0 are passed over."""
    tokens = keras.Input((7,), dtype="int32")
    x = layers.Embedding(9, 8, mask_zero=True, name="first")(tokens)
    x = layers.Bidirectional(layers.LSTM(6, return_sequences=True), name="both")(x)
    x = layers.GRU(4, name="last")(x, mask=layers.Dense(7)(x[:, 0]) > 0 if by_hand else None)
    model = keras.Model(tokens, layers.Dense(2)(x))
    randomise(model, seed=0)
    return model


def test_a_mask_of_steps_is_no_obstacle():
    model = masked()
    tokens = np.array([[3, 4, 5, 6, 0, 0, 0], [1, 2, 0, 7, 8, 2, 1]])
    other = np.where(tokens == 0, 5, tokens)
    assert np.abs(np.asarray(model(tokens)) - np.asarray(model(other))).max() > 1e-2
    pruned = prune(model, ratio=0.5)
    assert pruned.report.barriers == ()
    assert pruned.report.widths["first"] == (8, 4)
    assert pruned.model.get_layer("last").units == 2
    assert verify(model, pruned, tokens) < 1e-5


def test_a_mask_made_of_channels_keeps_them():
    reasons = {barrier.reason for barrier in trace(masked(by_hand=True)).barriers}
    assert "a mask made of channels" in reasons
