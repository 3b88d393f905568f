"""Networks small enough to convert in a second."""

import keras
import numpy as np
import pytest
from keras import layers

HEIGHT, WIDTH, METADATA, CLASSES = 12, 10, 3, 4


def make_network(*, metadata=True, dtype="float32", name="small"):
    """A convolution, and a dense layer large enough for the converter to store it as int8."""
    keras.utils.set_random_seed(0)
    image = keras.Input((HEIGHT, WIDTH, 3), name="image")
    x = layers.Rescaling(1 / 255, dtype=dtype)(image)
    x = layers.Conv2D(8, 3, activation="relu", dtype=dtype)(x)
    x = layers.BatchNormalization(dtype=dtype)(x)
    x = layers.Dense(64, activation="relu", dtype=dtype)(layers.Flatten(dtype=dtype)(x))
    inputs = {"image": image}
    if metadata:
        inputs["metadata"] = keras.Input((METADATA,), name="metadata")
        x = layers.Concatenate(dtype=dtype)([x, inputs["metadata"]])
    head = layers.Dense(CLASSES, "softmax", dtype="float32", kernel_initializer="he_normal")(x)
    return keras.Model(inputs, head, name=name)


@pytest.fixture
def make():
    return make_network


@pytest.fixture(scope="module")
def network():
    return make_network()


@pytest.fixture(scope="session")
def inputs():
    """Eight images in 0..255 and metadata."""
    draw = np.random.default_rng(0)
    images = draw.random((8, HEIGHT, WIDTH, 3), np.float32) * np.float32(255)
    return {"image": images, "metadata": draw.normal(size=(8, METADATA)).astype(np.float32)}
