"""Small models that the tests of pruning, graphs and inspection share.

Keras is imported by the fixture: pytest does not capture what TensorFlow prints while this file is
read.
"""

import numpy as np
import pytest


@pytest.fixture
def halved():
    """Choose half of every group's free coupled channels to go, at random."""

    def choose(graph, *, seed=0):
        random = np.random.default_rng(seed)
        keep = np.ones(graph.num_coupled, bool)
        for group in graph.groups:
            free = group.coupled[group.free]
            if len(free) > 1:
                keep[random.permutation(free)[: len(free) // 2]] = False
        return keep

    return choose


@pytest.fixture
def small():
    """Two convolutions, one of them coupled with a skip, and two dense layers."""
    import keras
    from keras import layers

    from slimderm.components.pruning.proof import randomise

    def make(seed=0):
        image = keras.Input((8, 8, 3), name="image")
        x = layers.Conv2D(8, 3, padding="same", activation="relu", name="a")(image)
        y = layers.Conv2D(8, 3, padding="same", name="b")(x)
        y = layers.BatchNormalization(name="norm")(y)
        x = layers.ReLU()(layers.Add()([x, y]))
        x = layers.Conv2D(6, 3, strides=2, activation="relu", name="c")(x)
        x = layers.Flatten()(x)
        x = layers.Dense(10, activation="relu", name="d")(x)
        model = keras.Model(image, layers.Dense(3, name="out")(x))
        randomise(model, seed=seed)
        return model

    return make
