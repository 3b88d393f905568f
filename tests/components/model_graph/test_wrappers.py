"""Layers that hold another: the layer inside is followed."""

import keras
import numpy as np
import pytest
from keras import layers

from slimderm import prune, verify
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.proof import deviation, randomise

FOLLOWED = {
    "dense at each step": lambda: [layers.TimeDistributed(layers.Dense(8, name="in"))],
    "convolution at each step": lambda: [
        layers.TimeDistributed(layers.Conv1D(8, 3, padding="same", name="in"))
    ],
    "norm at each step": lambda: [
        layers.Dense(8, name="in"),
        layers.TimeDistributed(layers.BatchNormalization()),
    ],
    "spectral": lambda: [layers.SpectralNormalization(layers.Conv2D(8, 1, name="in"))],
    "spectral dense": lambda: [layers.SpectralNormalization(layers.Dense(8, name="in"))],
}


def network(make):
    inputs = keras.Input((4, 5, 3))
    x = layers.Dense(6, activation="relu", name="before")(inputs)
    for layer in make():
        x = layer(x)
    x = layers.Dense(4, name="after")(x)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    randomise(model, seed=0)
    return model


@pytest.mark.parametrize("kind", FOLLOWED)
def test_the_layer_inside_is_followed(kind, halved, tmp_path):
    model = network(FOLLOWED[kind])
    graph = trace(model)
    assert graph.barriers == ()
    batch = np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype("float32")
    assert deviation(graph, halved(graph), batch) < 1e-5
    pruned = prune(model, ratio=0.5)
    assert verify(model, pruned, batch) < 1e-5
    assert pruned.report.widths["before"] == (6, 3)
    (inside,) = [width for path, width in pruned.report.widths.items() if path.endswith("in")]
    assert inside == (8, 4)
    pruned.model.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_allclose(again(batch), pruned.model(batch), atol=1e-6)


def test_multiplications_of_each_step_are_counted():
    """By hand: 20 places of 3 · 6, 6 · 8 and 8 · 4, and the last layer's 80 · 2."""
    report = prune(network(FOLLOWED["dense at each step"]), ratio=0.5).report
    assert report.multiply_accumulates[0] == 20 * (3 * 6 + 6 * 8 + 8 * 4) + 80 * 2


def test_a_layer_inside_without_a_rule_is_a_barrier():
    class Own(layers.Layer):
        """Of nobody's rule."""

        def call(self, inputs):
            return inputs * 2

        def compute_output_shape(self, shape):
            return shape

    graph = trace(network(lambda: [layers.TimeDistributed(Own(name="own"))]))
    (barrier,) = graph.barriers
    assert barrier.path.endswith("/own")
    assert barrier.num_coupled == 6
