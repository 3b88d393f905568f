"""Dynamic SVD: gradients against finite differences, factors against numpy's truncation."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import layers_by_path
from slimderm.components.network_compression.reparametrised import reparametrised
from slimderm.components.network_compression.truncate import (
    GRADIENTS,
    Truncate,
    TruncatedKernel,
    exact,
    tangent,
)


def cut(matrix, rank):
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    return (left[:, :rank] * values[:rank]) @ right[:rank]


def differences(matrix, upstream, rank, step=1e-6):
    """The derivative of sum(upstream * cut(matrix)) by each entry, in float64."""
    found = np.empty_like(matrix)
    for place in np.ndindex(matrix.shape):
        moved = np.zeros_like(matrix)
        moved[place] = step
        change = cut(matrix + moved, rank) - cut(matrix - moved, rank)
        found[place] = (upstream * change).sum() / (2 * step)
    return found


@pytest.mark.parametrize("shape", [(6, 6), (8, 5), (5, 8)])
def test_the_exact_gradient_is_that_of_finite_differences(shape):
    generator = np.random.default_rng(0)
    matrix, upstream = generator.standard_normal((2, *shape))
    right = np.linalg.svd(matrix)[2][:3].T
    expected = differences(matrix, upstream, 3)
    found = exact(*(ops.convert_to_tensor(each) for each in (matrix, upstream)), 3, right)
    np.testing.assert_allclose(np.asarray(found), expected, atol=1e-6)


def test_the_tangent_gradient_is_exact_where_nothing_is_discarded():
    generator = np.random.default_rng(0)
    matrix, upstream = generator.standard_normal((2, 7, 6))
    matrix = cut(matrix, 3)
    right = np.linalg.svd(matrix)[2][:3].T
    given = [ops.convert_to_tensor(each) for each in (matrix, upstream)]
    expected = np.asarray(exact(*given, 3, right))
    found = tangent(*given, 3, ops.convert_to_tensor(right))
    np.testing.assert_allclose(np.asarray(found), expected, atol=1e-9)


def linear(kernel):
    model = keras.Sequential([keras.Input((12,)), layers.Dense(10, use_bias=False, name="only")])
    model.layers[0].kernel.assign(kernel)
    return model


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_a_step_moves_the_whole_kernel_by_its_gradient(gradient):
    """One step of gradient descent on mean squared error, its gradient by numpy."""
    generator = np.random.default_rng(0)
    kernel = generator.standard_normal((12, 10)).astype(np.float32)
    inputs = generator.standard_normal((9, 12)).astype(np.float32)
    targets = generator.standard_normal((9, 10)).astype(np.float32)
    made = TruncatedKernel(2, gradient)
    trained = reparametrised(linear(kernel), {"only": made})
    trained.compile(keras.optimizers.SGD(0.1), "mse")
    trained.train_on_batch(inputs, targets)
    upstream = inputs.T @ (2 * (inputs @ cut(kernel, 2) - targets)) / targets.size
    right = np.linalg.svd(kernel)[2][:2].T.astype(np.float32)
    moved = np.asarray(
        GRADIENTS[gradient](
            ops.convert_to_tensor(kernel), ops.convert_to_tensor(upstream), 2, right
        )
    )
    np.testing.assert_allclose(
        np.asarray(trained.layers[0]._kernel), kernel - 0.1 * moved, rtol=1e-3, atol=1e-5
    )


@pytest.mark.parametrize("gradient", GRADIENTS)
def test_training_under_the_rank_learns_and_deploys_factors(gradient):
    """A target of rank 2, learned from a start of full rank."""
    generator = np.random.default_rng(0)
    wanted = cut(generator.standard_normal((12, 10)), 2)
    inputs = generator.standard_normal((256, 12)).astype(np.float32)
    model = linear(generator.standard_normal((12, 10)))
    seen = {}

    def fine_tune(trained):
        trained.compile(keras.optimizers.Adam(0.05), "mse")
        trained.fit(inputs, inputs @ wanted, batch_size=32, epochs=30, verbose=0)
        seen["outputs"] = np.asarray(trained(inputs))

    made = Truncate(2, gradient).apply(model, fine_tune=fine_tune)
    after = layers_by_path(made.model)
    assert after["only_factor"].kernel.shape == (12, 2)
    outputs = np.asarray(made.model(inputs))
    # Each use makes the singular vectors a little better, so the two are not the same.
    np.testing.assert_allclose(outputs, seen["outputs"], atol=0.05 * outputs.std())
    error, spread = np.mean((outputs - inputs @ wanted) ** 2), np.var(inputs @ wanted)
    assert error < 0.05 * spread
    assert made.report.parameters == (120, 44)


def test_convolutions_are_trained_under_a_rank_too(convolutional, batches):
    def fine_tune(model):
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.fit(*batches[0], epochs=1, verbose=0)

    made = Truncate(3, scheme="channel").apply(convolutional, fine_tune=fine_tune)
    assert set(made.report.changed) == {"first", "second"}
    assert layers_by_path(made.model)["first_factor"].filters == 3


def test_a_rank_that_no_layer_has_is_refused_before_training(convolutional):
    def fine_tune(model):
        raise AssertionError("it was trained")

    with pytest.raises(ParameterError, match="rank: received 1000, expected at most 32"):
        Truncate(1000).apply(convolutional, fine_tune=fine_tune)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rank": 0}, "rank: received 0"),
        ({"rank": 2, "gradient": "none"}, "gradient: received 'none', expected one of straight"),
        ({"rank": 2, "scheme": "spatial"}, "scheme: received 'spatial', expected dense or channel"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ParameterError, match=message):
        Truncate(**settings)
