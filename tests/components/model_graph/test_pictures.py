"""Channels that are laid together and set apart: pictures of vectors, shuffles, patches."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from slimderm import prune, verify
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.proof import deviation, randomise

WIDTH = 72


def shuffle(x):
    """Of channels, between three groups."""
    x = layers.Reshape((6, 6, 3, WIDTH // 3))(x)
    return layers.Reshape((6, 6, WIDTH))(layers.Permute((1, 2, 4, 3))(x))


def pixels(x, *, channels_first):
    """Blocks of 2 x 2 places of channels that lie behind each other, or before them."""
    order = (WIDTH // 4, 2, 2) if channels_first else (2, 2, WIDTH // 4)
    moved = (0, 1, 4, 2, 5, 3) if channels_first else (0, 1, 3, 2, 4, 5)
    x = ops.reshape(x, (-1, 6, 6, *order))
    x = ops.transpose(x, moved)
    return ops.reshape(x, (-1, 12, 12, WIDTH // 4))


def patches(x):
    """A vector for each of nine patches."""
    x = ops.transpose(ops.reshape(x, (-1, 3, 2, 3, 2, WIDTH)), (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, 9, 1, 4 * WIDTH))


PICTURES = {
    "channel shuffle": shuffle,
    "pixel shuffle": lambda x: pixels(x, channels_first=False),
    "pixel shuffle, channels before": lambda x: pixels(x, channels_first=True),
    "depth to space": lambda x: ops.depth_to_space(x, 2),
    "space to depth": lambda x: ops.space_to_depth(x, 2),
    "patches": patches,
    "extracted patches": lambda x: ops.image.extract_patches(x, 3, padding="same"),
    "a shuffle before groups": lambda x: layers.Conv2D(12, 3, groups=3)(shuffle(x)),
}


def network(change):
    image = keras.Input((6, 6, 3))
    x = layers.Conv2D(WIDTH, 3, padding="same", activation="relu", name="first")(image)
    x = layers.Conv2D(4, 1, activation="relu", name="second")(change(x))
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    randomise(model, seed=0)
    return model, np.random.default_rng(0).random((2, 6, 6, 3)).astype("float32")


def check(model, given, halved, folder):
    graph = trace(model)
    assert graph.barriers == ()
    assert deviation(graph, halved(graph), given) < 1e-5
    pruned = prune(model, ratio=0.5)
    assert verify(model, pruned, given) < 1e-5
    pruned.model.save(folder / "small.keras")
    again = keras.models.load_model(folder / "small.keras")
    np.testing.assert_allclose(again(given), pruned.model(given), atol=1e-6)
    again.compile("sgd", "mse")
    assert np.isfinite(again.train_on_batch(given, np.zeros(again(given).shape)))
    return pruned


@pytest.mark.parametrize("kind", PICTURES)
def test_channels_are_coupled_by_position(kind, halved, tmp_path):
    pruned = check(*network(PICTURES[kind]), halved, tmp_path)
    assert pruned.report.widths["first"] == (WIDTH, WIDTH // 2)


def test_a_generator_loses_channels_of_its_picture(halved, tmp_path):
    """All units of a channel go together: 4 x 4 of them."""
    noise = keras.Input((5,))
    x = layers.Dense(4 * 4 * 12, name="units")(noise)
    x = layers.LeakyReLU()(layers.BatchNormalization()(layers.Reshape((4, 4, 12))(x)))
    x = layers.Conv2DTranspose(6, 3, strides=2, name="larger")(x)
    model = keras.Model(noise, layers.Conv2D(3, 3, activation="tanh")(x))
    randomise(model, seed=0)
    given = np.random.default_rng(0).normal(size=(2, 5)).astype("float32")
    pruned = check(model, given, halved, tmp_path)
    assert pruned.report.widths["units"] == (192, 96)
    assert pruned.report.widths["larger"] == (6, 3)
    kernel = np.asarray(pruned.model.get_layer("units").kernel).reshape(5, 4, 4, 6)
    whole = np.asarray(model.get_layer("units").kernel).reshape(5, 4, 4, 12)
    left = [np.flatnonzero((whole == kernel[..., [i]]).all((0, 1, 2))).item() for i in range(6)]
    assert len(set(left)) == 6


def test_axes_that_do_not_come_apart_evenly_keep_the_channels_of_one(halved):
    """Two axes with channels of their own are laid together."""
    inputs = keras.Input((6, 3))
    x = layers.EinsumDense("abc,cde->abde", (6, 4, 5), name="heads")(inputs)
    x = layers.Reshape((6, 10, 2))(x)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    randomise(model, seed=0)
    graph = trace(model)
    (barrier,) = graph.barriers
    assert barrier.reason == "lays axes together, of which one can lose channels"
    values = np.random.default_rng(0).random((2, 6, 3)).astype("float32")
    assert deviation(graph, halved(graph), values) < 1e-5
