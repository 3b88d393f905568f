"""Networks small enough to convert in a second."""

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers

from slimderm.components.training.metadata import MetadataEncoder

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


@pytest.fixture(scope="session")
def encoder():
    return MetadataEncoder(
        age_median=50.0,
        age_mean=51.25,
        age_deviation=17.5,
        sexes=("unknown", "female", "male"),
        localizations=("unknown", "back", "face", "lower extremity"),
    )


@pytest.fixture(scope="session")
def people():
    """Eight people: two of unknown age, one sex and one site that no list holds."""
    return pd.DataFrame(
        {
            "age": [45.0, 0.0, np.nan, 85.0, 50.0, 51.25, np.nan, 12.5],
            "sex": ["male", "female", "unknown", "female", "other", "male", "male", "female"],
            "localization": [
                *("back", "face", "unknown", "lower extremity", "back", "foot", "face", "unknown")
            ],
        }
    )
