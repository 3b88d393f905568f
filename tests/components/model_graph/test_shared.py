"""A layer that a model shares with one nested in it is one layer of one graph."""

import keras
import numpy as np
import pytest
from keras import layers

from slimderm import prune, verify
from slimderm.components.model_graph.plain import plain
from slimderm.components.pruning.proof import randomise


def backbone(embedding):
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = embedding(tokens)
    x = x + layers.Dense(8, name="narrow")(layers.Dense(12, activation="relu", name="wide")(x))
    return keras.Model({"tokens": tokens}, x, name="backbone")


def language():
    """The output reads the embedding of the input, which lies in a nested model."""
    embedding = layers.ReversibleEmbedding(9, 8, name="embedding")
    inside = backbone(embedding)
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    return keras.Model(tokens, embedding(inside({"tokens": tokens}), reverse=True))


def twice_nested():
    """It lies in a model inside a model that is called twice."""
    embedding = layers.ReversibleEmbedding(9, 8, name="embedding")
    inside = backbone(embedding)
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    outer = keras.Model(tokens, layers.ReLU(name="bent")(inside({"tokens": tokens})), name="outer")
    x = outer(tokens) + outer(tokens[:, ::-1] if _turns() else tokens)
    return keras.Model(tokens, embedding(x, reverse=True))


def _turns():
    return keras.backend.backend() != "torch"


@pytest.mark.parametrize("make", [language, twice_nested])
def test_it_is_pruned_at_both_places(make, tmp_path):
    model = make()
    randomise(model, seed=0)
    tokens = np.random.default_rng(0).integers(0, 9, (2, 5))
    np.testing.assert_allclose(plain(model)(tokens), model(tokens), atol=1e-5)
    pruned = prune(model, ratio=0.5)
    assert pruned.report.barriers == ()
    halves = {"embedding": (8, 4), "narrow": (8, 4), "wide": (12, 6)}
    assert {path: pruned.report.widths[path] for path in halves} == halves
    assert verify(model, pruned, tokens) < 1e-5
    assert pruned.report.parameters[0] == model.count_params()
    pruned.model.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_allclose(again(tokens), pruned.model(tokens), atol=1e-6)
    assert len([layer for layer in again.layers if layer.name == "embedding"]) == 1


def test_models_that_share_no_more_than_an_input_stay_nested():
    x = keras.Input((3,))
    inside = keras.Model(x, layers.Dense(4, activation="relu", name="own")(x), name="inside")
    model = keras.Model(x, layers.Dense(2)(inside(x)))
    randomise(model, seed=0)
    assert plain(model) is model
    pruned = prune(model, ratio=0.5)
    assert pruned.report.widths["inside/own"] == (4, 2)
    assert verify(model, pruned) < 1e-5
