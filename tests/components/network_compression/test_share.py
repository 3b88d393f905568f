"""Shared weights: against scikit-learn's k-means, gradients by hand, and what is stored."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from keras import layers
from sklearn.cluster import KMeans

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import layers_by_path
from slimderm.components.network_compression.clusters import clusters, nearest
from slimderm.components.network_compression.reparametrised import baked, reparametrised
from slimderm.components.network_compression.share import SharedKernel, ShareWeights
from slimderm.components.network_compression.sparsify import Sparsify
from slimderm.components.pruning.masks import kernels


def fine_tune(model):
    model.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy")
    generator = np.random.default_rng(2)
    inputs = {
        "image": generator.random((16, 12, 10, 4), np.float32),
        "metadata": generator.random((16, 3), np.float32),
    }
    model.fit(inputs, generator.integers(0, 3, 16), batch_size=8, epochs=2, verbose=0)


def values(model):
    return {path: np.asarray(kernel) for path, kernel in kernels(model).items()}


def test_clusters_are_those_of_scikit_learn_from_the_same_start():
    found = np.random.default_rng(0).standard_normal(500)
    start = np.linspace(found.min(), found.max(), 8)[:, None]
    expected = KMeans(8, init=start, n_init=1, tol=0, max_iter=1000).fit(found[:, None])
    np.testing.assert_allclose(
        clusters(found, 8), np.sort(expected.cluster_centers_[:, 0]), rtol=1e-9
    )


@given(
    arrays(np.float64, st.integers(1, 40), elements=st.floats(-5, 5, width=16)), st.integers(1, 9)
)
def test_no_value_has_a_nearer_centroid_than_its_own(found, number):
    centroids = clusters(found, number)
    assert 1 <= len(centroids) <= number
    assert (np.diff(centroids) > 0).all()
    distances = np.abs(found[:, None] - centroids)
    own = distances[np.arange(len(found)), nearest(found, centroids)]
    np.testing.assert_allclose(own, distances.min(axis=1))


def test_few_values_are_kept_as_they_are():
    np.testing.assert_array_equal(clusters(np.array([3.0, 1.0, 3.0, 2.0]), 4), [1, 2, 3])


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_a_kernel_has_no_more_values_than_the_bits_say_before_and_after_training(
    bits, convolutional
):
    for tune in (None, fine_tune):
        made = ShareWeights(bits).apply(convolutional, fine_tune=tune).model
        for kernel in values(made).values():
            assert len(np.unique(kernel)) <= 2**bits
    assert type(layers_by_path(made)["first"]) is layers.Conv2D


def test_training_moves_shared_values_and_all_other_weights(convolutional):
    before = ShareWeights(2).apply(convolutional).model
    after = ShareWeights(2).apply(convolutional, fine_tune=fine_tune).model
    for old, new in zip(before.trainable_weights, after.trainable_weights, strict=True):
        assert (np.asarray(old) != np.asarray(new)).any(), old.path


def test_zeros_stay_zero_and_are_no_shared_value(convolutional):
    sparse = Sparsify(0.8, 1).apply(convolutional).model
    made = ShareWeights(2).apply(sparse, fine_tune=fine_tune)
    for path, kernel in values(made.model).items():
        zero = values(sparse)[path] == 0
        assert (kernel[zero] == 0).all()
        assert len(np.unique(kernel[~zero])) <= 3
    assert "3 values and zero" in str(made.report)


def test_the_gradient_of_a_shared_value_is_the_sum_over_its_weights():
    """One step of gradient descent on a linear model, computed by numpy."""
    model = keras.Sequential([keras.Input((6,)), layers.Dense(5, use_bias=False, name="only")])
    kernel = np.random.default_rng(0).standard_normal((6, 5)).astype(np.float32)
    kernel[::2, 0] = 0
    model.layers[0].kernel.assign(kernel)
    shared = SharedKernel(kernel, 2)
    trained = reparametrised(model, {"only": shared})
    inputs = np.random.default_rng(1).standard_normal((4, 6)).astype(np.float32)
    targets = np.random.default_rng(2).standard_normal((4, 5)).astype(np.float32)
    start = np.append(0, shared.start)[shared.indices]
    gradient = inputs.T @ (2 * (inputs @ start - targets)) / targets.size
    sums = np.array([gradient[shared.indices == number].sum() for number in range(1, 4)])
    trained.compile(keras.optimizers.SGD(0.5), "mse")
    trained.train_on_batch(inputs, targets)
    expected = np.append(0, shared.start - 0.5 * sums)[shared.indices]
    made = baked(trained, model)
    np.testing.assert_allclose(np.asarray(made.layers[0].kernel), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(np.asarray(model.layers[0].kernel), kernel)


def test_what_was_trained_computes_what_the_plain_model_does(convolutional, batches):
    seen = {}

    def look(model):
        fine_tune(model)
        seen["outputs"] = np.asarray(model(batches[0][0], training=False))

    made = ShareWeights({"second": 3, "*": 4}).apply(convolutional, fine_tune=look)
    outputs = np.asarray(made.model(batches[0][0], training=False))
    np.testing.assert_allclose(outputs, seen["outputs"], rtol=1e-5)
    assert made.report.changed["second"] == "8 values"
    assert 8 < int(made.report.changed["first"].split()[0]) <= 16


def test_layers_without_a_plain_kernel_are_left_and_named():
    model = keras.Sequential(
        [keras.Input((8, 8, 2)), layers.Conv2DTranspose(3, 3, name="back"), layers.Dense(2)]
    )
    made = ShareWeights(2).apply(model)
    assert made.report.left == {"back": "a Conv2DTranspose has no plain kernel"}


@pytest.mark.parametrize("bits", [0, 9, 33, 2.5, True, {"*": 0}])
def test_wrong_bits_are_refused(bits):
    with pytest.raises(ParameterError, match="expected a whole number from 1 to 8"):
        ShareWeights(bits)


def test_an_unknown_layer_is_refused(convolutional):
    with pytest.raises(ParameterError, match="'third', which matches no layer"):
        ShareWeights({"third": 2}).apply(convolutional)


def test_zeros_come_little_by_little_and_stay_while_training(convolutional):
    shares = []

    def look(model):
        fine_tune(model)
        shares.append([np.mean(kernel == 0) for kernel in values(model).values()])

    made = Sparsify({"first": 0.5, "second": 0.75}, steps=2).apply(convolutional, fine_tune=look)
    np.testing.assert_allclose(np.array(shares)[:, 0], [1 - 0.5**0.5, 0.5], atol=0.002)
    np.testing.assert_allclose(np.array(shares)[:, 1], [0.5, 0.75], atol=0.002)
    assert np.mean(values(made.model)["nested/inside/kernel"] == 0) == 0
    assert "75.0% of its kernel is zero" in made.report.changed["second"]
    assert all(weight.constraint is None for weight in made.model.weights)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ratio": 0.0}, "ratio: received 0.0"),
        ({"ratio": {"first": 1.0}}, "ratio: received 1.0"),
        ({"ratio": 0.5, "steps": 0}, "steps: received 0, expected a whole number of at least 1"),
    ],
)
def test_wrong_shares_are_refused(settings, message):
    with pytest.raises(ParameterError, match=message):
        Sparsify(**settings)


def test_a_bias_has_the_means_of_its_clusters(convolutional):
    rest = ShareWeights(3).apply(convolutional).model
    made = ShareWeights(3, biases=2).apply(convolutional)
    before, after = layers_by_path(rest), layers_by_path(made.model)
    for path in ("first", "twice", "nested/inside", "last"):
        bias, shared = (np.asarray(each[path].bias) for each in (before, after))
        distances = np.abs(bias[:, None] - np.unique(shared))
        assert distances.shape[1] <= 4
        np.testing.assert_allclose(np.abs(bias - shared), distances.min(axis=1), atol=1e-7)
        for value in np.unique(shared):
            assert bias[shared == value].mean() == pytest.approx(value, abs=1e-6)
        assert f"{len(np.unique(shared))} of the bias" in made.report.changed[path]
    np.testing.assert_array_equal(after["last"].kernel, before["last"].kernel)
    assert "bias" not in made.report.changed["second"]  # it has none


def test_bits_of_biases_are_whole_numbers():
    with pytest.raises(ParameterError, match="biases: received 9, expected"):
        ShareWeights(4, biases=9)
