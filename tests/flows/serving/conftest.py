"""The network that is served and exported in these tests."""

import pytest


@pytest.fixture(scope="session")
def network():
    """Builds a network of one image and three numbers, the same each time."""
    import keras

    def build():
        keras.utils.set_random_seed(0)
        image, metadata = keras.Input((8, 10, 3), name="image"), keras.Input((3,), name="metadata")
        mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(image))
        both = keras.layers.Concatenate()([mean, metadata])
        said = keras.layers.Dense(2, activation="softmax")(both)
        return keras.Model({"image": image, "metadata": metadata}, said)

    return build
