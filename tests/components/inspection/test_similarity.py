"""Linear CKA against sums written out, and what an unbiased estimate promises."""

import keras
import numpy as np
import pytest
from keras import layers

from slimderm.components.common.errors import ParameterError
from slimderm.components.inspection.similarity import (
    hsic,
    layer_similarities,
    layer_similarity,
)


def slow_hsic(x, y):
    """Song et al. 2012, eq. 5, index by index."""
    n = len(x)
    k, m = x @ x.T, y @ y.T
    np.fill_diagonal(k, 0)
    np.fill_diagonal(m, 0)
    ones = np.ones(n)
    trace = sum(k[i, j] * m[j, i] for i in range(n) for j in range(n))
    both = (ones @ k @ ones) * (ones @ m @ ones) / ((n - 1) * (n - 2))
    return (trace + both - 2 / (n - 2) * (ones @ k @ m @ ones)) / (n * (n - 3))


def network(widths, seed):
    keras.utils.set_random_seed(seed)
    image = keras.Input((6, 6, 3))
    x = layers.Conv2D(widths[0], 3, activation="relu", name="a")(image)
    x = layers.Conv2D(widths[1], 3, activation="relu", name="b")(x)
    x = layers.Dense(widths[2], name="c")(layers.Flatten()(x))
    return keras.Model(image, x)


def images(number, seed=0):
    return np.random.default_rng(seed).normal(size=(number, 6, 6, 3)).astype("float32")


def test_every_pair_of_layers_agrees_with_sums_written_out():
    first, second = network((4, 5, 3), 0), network((2, 6, 4), 1)
    batches = [images(7, 0), images(5, 1)]
    found = layer_similarity(first, second, batches)
    assert found.first == found.second == ("a", "b", "c")
    for row, one in enumerate("abc"):
        for column, other in enumerate("abc"):
            taps = [
                keras.Model(model.input, model.get_layer(name).output)
                for model, name in ((first, one), (second, other))
            ]
            sums = np.zeros(3)
            for batch in batches:
                x, y = (np.asarray(tap(batch), np.float64).reshape(len(batch), -1) for tap in taps)
                sums += [slow_hsic(x, y), slow_hsic(x, x), slow_hsic(y, y)]
            expected = sums[0] / np.sqrt(sums[1] * sums[2])
            assert found.values[row, column] == pytest.approx(expected, rel=1e-4)


def test_of_several_networks_every_pair_is_compared():
    models = {name: network((3 + n, 5, 3), n) for n, name in enumerate(("x", "y", "z"))}
    batches = [images(7, 0), images(5, 1)]
    found = layer_similarities(models, iter(batches), layers={"y": ["b"]})
    assert list(found) == [("x", "y"), ("x", "z"), ("y", "z")]
    for (one, other), similarity in found.items():
        expected = layer_similarity(models[one], models[other], batches)
        rows, columns = (
            ["abc".index(name) for name in side] for side in (similarity.first, similarity.second)
        )
        np.testing.assert_allclose(similarity.values, expected.values[np.ix_(rows, columns)])
    assert found["y", "z"].first == ("b",)
    with pytest.raises(ParameterError, match="models: received 1"):
        layer_similarities({"x": models["x"]}, batches)


def test_a_network_is_like_itself():
    model = network((4, 5, 3), 0)
    found = layer_similarity(model, model, [images(8)])
    np.testing.assert_allclose(np.diag(found.values), 1)
    np.testing.assert_allclose(np.diag(found.values), 1)
    assert len(found.frame()) == 9


def test_rotation_and_scale_do_not_matter_but_features_do():
    random = np.random.default_rng(0)
    x = random.normal(size=(1, 12, 5))
    turned = 3 * x @ np.linalg.qr(random.normal(size=(5, 5)))[0]
    grams = [value @ value.transpose(0, 2, 1) for value in (x, turned)]
    same = hsic(grams[0], grams[1]) / np.sqrt(hsic(grams[0], grams[0]) * hsic(grams[1], grams[1]))
    assert same[0, 0] == pytest.approx(1)


def test_strangers_have_nothing_in_common_on_average_where_the_biased_estimate_has():
    random = np.random.default_rng(0)
    values, biased = [], []
    for _ in range(400):
        x, y = random.normal(size=(2, 1, 8, 20))
        k, m = x @ x.transpose(0, 2, 1), y @ y.transpose(0, 2, 1)
        values.append(hsic(k, m)[0, 0])
        centre = np.eye(8) - 1 / 8
        biased.append(np.trace(centre @ k[0] @ centre @ m[0]) / 49)
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 4 * error
    assert np.mean(biased) > 40 * error


def test_a_layer_that_says_the_same_of_everything_has_no_similarity():
    model = network((4, 5, 3), 0)
    model.get_layer("b").set_weights([0 * w for w in model.get_layer("b").get_weights()])
    found = layer_similarity(model, model, [images(8)])
    assert np.isnan(found.values[1]).all()
    assert np.isfinite(found.values[0, 0])


def test_two_inputs_and_chosen_layers():
    image, more = keras.Input((6, 6, 3), name="image"), keras.Input((2,), name="more")
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(3, 3, name="a")(image))
    model = keras.Model(
        {"image": image, "more": more}, layers.Dense(2, name="d")(layers.Concatenate()([x, more]))
    )
    batch = {"image": images(6), "more": images(6)[:, 0, 0, :2]}
    found = layer_similarity(model, model, [batch], first_layers=["d"])
    assert found.values.shape == (1, 2)
    assert found.values[0, 1] == pytest.approx(1)
    with pytest.raises(ParameterError, match="layer: received 'z'"):
        layer_similarity(model, model, [batch], second_layers=["z"])


def test_too_few_images_are_refused():
    model = network((4, 5, 3), 0)
    with pytest.raises(ParameterError, match="received 3 samples, expected at least 4"):
        layer_similarity(model, model, [images(3)])
    with pytest.raises(ParameterError, match="received none"):
        layer_similarity(model, model, [])


def test_a_constant_is_recognised_whatever_its_size():
    model = network((4, 5, 3), 0)
    kernel, _ = model.get_layer("b").get_weights()
    model.get_layer("b").set_weights([0 * kernel, np.float32([0.1, 0.37, -1.3, 7.7, 0.01])])
    found = layer_similarity(model, model, [images(8), images(7), images(6)])
    assert np.isnan(found.values[1:]).all()  # what reads nothing but a constant is one, too
    assert np.isnan(found.values[:, 1:]).all()
    assert found.values[0, 0] == pytest.approx(1)


def test_a_shift_of_the_features_does_not_matter():
    model = network((4, 5, 3), 0)
    shifted = keras.models.clone_model(model)
    shifted.set_weights(model.get_weights())
    kernel, bias = model.get_layer("c").get_weights()
    shifted.get_layer("c").set_weights([kernel, bias + 100])
    found = layer_similarity(model, shifted, [images(8)])
    np.testing.assert_allclose(np.diag(found.values), 1, atol=1e-6)


def test_sequential_models_and_one_layer_alone():
    make = [keras.Input((6, 6, 3)), layers.SeparableConv2D(2, 3, name="s"), layers.Flatten()]
    found = layer_similarity(keras.Sequential(make), network((4, 5, 3), 0), [images(8)])
    assert found.first == ("s",)
    assert np.isfinite(found.values).all()


def test_a_layer_is_looked_at_where_this_model_calls_it():
    shared = layers.Conv2D(2, 3, name="shared")
    shared(keras.Input((6, 6, 3)))  # elsewhere first
    image = keras.Input((6, 6, 3))
    model = keras.Model(image, layers.Flatten()(shared(image)))
    found = layer_similarity(model, model, [images(8)])
    assert found.values[0, 0] == pytest.approx(1)


def test_the_layers_of_nested_models_are_not_entered():
    inner = keras.Sequential([keras.Input((6, 6, 3)), layers.Conv2D(2, 3, name="x")], name="inner")
    image = keras.Input((6, 6, 3))
    model = keras.Model(image, layers.Dense(2, name="d")(layers.Flatten()(inner(image))))
    assert layer_similarity(model, model, [images(8)]).first == ("d",)
    named = layer_similarity(model, model, [images(8)], first_layers=["inner"])
    assert named.values.shape == (1, 1)


def test_the_batch_size_does_not_move_the_estimate_on_average():
    random = np.random.default_rng(0)
    values = {size: [] for size in (4, 16)}
    for _ in range(300):
        x = random.normal(size=(1, 16, 3))
        y = x + 0.5 * random.normal(size=x.shape)
        for size, found in values.items():
            k, m = (part[:, :size] @ part[:, :size].transpose(0, 2, 1) for part in (x, y))
            found.append(hsic(k, m)[0, 0])
    error = sum(np.var(found) / len(found) for found in values.values()) ** 0.5
    assert abs(np.mean(values[4]) - np.mean(values[16])) < 4 * error
    assert np.mean(values[16]) == pytest.approx(3, rel=0.1)  # the covariance is the identity


def test_models_without_kernels_or_a_graph_are_refused():
    class Subclassed(keras.Model):
        def call(self, inputs):
            return inputs

    model = network((4, 5, 3), 0)
    bare = keras.Sequential([keras.Input((6, 6, 3)), layers.Flatten()])
    with pytest.raises(ParameterError, match="layers: received none"):
        layer_similarity(bare, model, [images(8)])
    with pytest.raises(ParameterError, match="expected a functional"):
        layer_similarity(model, Subclassed(), [images(8)])
    with pytest.raises(ParameterError, match="is not built"):
        layer_similarity(keras.Sequential([layers.Dense(2)]), model, [images(8)])
