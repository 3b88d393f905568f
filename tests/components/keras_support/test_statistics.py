import keras
import numpy as np
import pytest
from keras import layers

from slimderm.components.keras_support.normalization import fused_batch_normalization
from slimderm.components.keras_support.statistics import recompute_statistics

RANDOM = np.random.default_rng(0)
BATCHES = [RANDOM.normal(3, 2, (16, 4, 4, 3)).astype("float32") for _ in range(4)]


def model(*, trainable=True):
    image = keras.Input((4, 4, 3))
    x = layers.BatchNormalization(name="first", trainable=trainable)(image)
    x = layers.Dropout(0.5)(x)
    x = layers.Conv2D(5, 3, name="convolution")(x)
    x = layers.BatchNormalization(name="second")(x)
    return keras.Model(image, layers.Flatten()(x))


def statistics(network, name):
    layer = network.get_layer(name)
    return np.array(layer.moving_mean), np.array(layer.moving_variance)


def test_the_first_layers_statistics_are_those_of_the_data():
    network = model()
    recompute_statistics(network, BATCHES)
    data = np.concatenate(BATCHES).astype(np.float64)
    mean, variance = statistics(network, "first")
    np.testing.assert_allclose(mean, data.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(variance, data.var((0, 1, 2)), rtol=1e-4)


def test_later_layers_see_batches_that_are_normalised_by_themselves_and_no_dropout():
    network = model()
    recompute_statistics(network, BATCHES)
    kernel, bias = (np.array(each) for each in network.get_layer("convolution").get_weights())
    seen = []
    for batch in BATCHES:
        deviation = np.sqrt(batch.var((0, 1, 2)) + 1e-3)
        normal = (batch - batch.mean((0, 1, 2))) / deviation
        patches = [normal[:, i : i + 3, j : j + 3].reshape(16, -1) for i in (0, 1) for j in (0, 1)]
        seen += [patch @ kernel.reshape(27, 5) + bias for patch in patches]
    mean, variance = statistics(network, "second")
    np.testing.assert_allclose(mean, np.concatenate(seen).mean(0), atol=1e-4)
    np.testing.assert_allclose(variance, np.concatenate(seen).var(0), rtol=1e-3)


def test_batches_count_by_their_images():
    network = model()
    data = np.concatenate(BATCHES)
    recompute_statistics(network, [data[:48], data[48:]])
    uneven = statistics(network, "first")
    recompute_statistics(network, [data])
    for one, other in zip(uneven, statistics(network, "first"), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_a_stale_network_predicts_again_as_it_was_trained():
    network = model()
    recompute_statistics(network, BATCHES)
    fresh = network.predict(BATCHES[0], verbose=0)
    network.get_layer("second").moving_mean.assign(np.full(5, 9.0))
    network.get_layer("second").moving_variance.assign(np.full(5, 100.0))
    assert abs(network.predict(BATCHES[0], verbose=0) - fresh).max() > 0.5
    recompute_statistics(network, BATCHES)
    np.testing.assert_allclose(network.predict(BATCHES[0], verbose=0), fresh, atol=1e-5)


def test_frozen_layers_keep_theirs():
    network = model(trainable=False)
    recompute_statistics(network, BATCHES)
    mean, variance = statistics(network, "first")
    assert not mean.any() and (variance == 1).all()
    assert statistics(network, "second")[0].any()


def test_no_batch_changes_nothing():
    network = model()
    recompute_statistics(network, BATCHES)
    before = network.get_weights()
    recompute_statistics(network, [])
    for one, other in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_shared_and_nested_layers_hold_the_statistics_of_all_their_places():
    inner = keras.Sequential([layers.BatchNormalization(name="shared")], name="inner")
    one, two = keras.Input((2,)), keras.Input((2,))
    network = keras.Model([one, two], layers.Add()([inner(one), inner(two)]))
    first = RANDOM.normal(0, 1, (32, 2)).astype("float32")
    second = RANDOM.normal(10, 1, (32, 2)).astype("float32")
    recompute_statistics(network, [[first, second]])
    (layer,) = inner.layers
    both = np.concatenate([first, second])
    np.testing.assert_allclose(layer.moving_mean, both.mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, both.var(0), rtol=1e-4)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_training_goes_on_as_before(precision):
    def train(*, recomputing):
        keras.utils.set_random_seed(0)
        image = keras.Input((4, 4, 3))
        x = layers.Conv2D(4, 3, dtype=precision)(image)
        x = layers.BatchNormalization(dtype=precision)(x)
        network = keras.Model(image, layers.Dense(2, "softmax")(layers.Flatten()(x)))
        network.compile("adam", "sparse_categorical_crossentropy")
        labels = np.arange(16) % 2
        with fused_batch_normalization(network):
            for batch in BATCHES:
                network.train_on_batch(batch, labels)
                if recomputing:
                    recompute_statistics(network, BATCHES)
            assert "call" in vars(network.layers[2])
        assert "call" not in vars(network.layers[2])
        return [np.array(each) for each in network.trainable_variables], network

    plain, _ = train(recomputing=False)
    recomputed, network = train(recomputing=True)
    for one, other in zip(plain, recomputed, strict=True):
        np.testing.assert_array_equal(one, other)
    assert network.layers[2].momentum == 0.99
