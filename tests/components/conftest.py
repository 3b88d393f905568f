"""Small models that the tests of pruning, graphs and inspection share.

Keras is imported by the fixture: pytest does not capture what TensorFlow prints while this file is
read.
"""

import os

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def tensors_are_arrays(monkeypatch):
    """NumPy reads a tensor of PyTorch that has a gradient, as it reads those of other backends."""
    if os.environ.get("KERAS_BACKEND") == "torch":
        import torch

        known = torch.Tensor.__array__

        def array(tensor, dtype=None, copy=None):
            return known(tensor.detach(), *([] if dtype is None else [dtype]))

        monkeypatch.setattr(torch.Tensor, "__array__", array)


@pytest.fixture
def on_jax():
    """On JAX attention keeps its values: Keras computes none there that are narrower than keys."""
    return os.environ.get("KERAS_BACKEND") == "jax"


@pytest.fixture
def barriers_of():
    """Return the barriers of a graph or a report, without those at values of attention on JAX."""
    return lambda found: [each for each in found.barriers if not each.reason.startswith("on JAX")]


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
