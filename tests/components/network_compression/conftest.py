"""A model and batches that the passes work on.

Keras is imported by the fixture: pytest does not capture what TensorFlow prints while this file is
read.
"""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def convolutional():
    """Two inputs, strides, dilation, a layer called twice, a nested model."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    image, metadata = keras.Input((12, 10, 4), name="image"), keras.Input((3,), name="metadata")
    x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu", name="first")(image)
    x = layers.Conv2D(24, (3, 2), dilation_rate=2, use_bias=False, name="second")(x)
    x = layers.Flatten(name="flat")(layers.BatchNormalization()(x))
    inner = keras.Sequential(
        [keras.Input((x.shape[-1],)), layers.Dense(32, activation="relu", name="inside")],
        name="nested",
    )
    twice = layers.Dense(32, name="twice")
    x = layers.Concatenate()([twice(twice(inner(x))), metadata])
    outputs = layers.Dense(3, activation="softmax", name="last")(x)
    model = keras.Model({"image": image, "metadata": metadata}, outputs)
    generator = np.random.default_rng(0)
    for weight in model.weights:
        noise = 0.05 * generator.standard_normal(weight.shape)
        weight.assign(weight + (np.abs(noise) if "variance" in weight.path else noise))
    return model


@pytest.fixture(scope="session")
def batches():
    """Two batches for it."""
    generator = np.random.default_rng(1)
    return [
        (
            {
                "image": generator.random((20, 12, 10, 4), np.float32),
                "metadata": generator.random((20, 3), np.float32),
            },
            generator.integers(0, 3, 20),
        )
        for _ in range(2)
    ]


@pytest.fixture(scope="session")
def dense():
    """Three dense layers, for what trains often."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(24, activation="relu", name="first"),
            layers.Dense(24, activation="relu", name="second"),
            layers.Dense(3, activation="softmax", name="last"),
        ]
    )


@pytest.fixture(scope="session")
def rows():
    """A batch for it."""
    generator = np.random.default_rng(1)
    return [(generator.random((16, 8), np.float32), generator.integers(0, 3, 16))]
