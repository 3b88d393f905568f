"""Binary weights: two values, gradients by hand, one bit a weight in the file."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from slimderm.components.model_graph.calls import layers_by_path
from slimderm.components.network_compression.binarise import Binarise, BinaryKernel, sign
from slimderm.components.network_compression.reparametrised import reparametrised
from slimderm.components.network_compression.slim_file import inspect, pack


def test_the_sign_of_zero_is_plus_one():
    values = np.array([-2.0, -0.0, 0.0, 0.5], np.float32)
    np.testing.assert_array_equal(np.asarray(sign(ops.convert_to_tensor(values))), [-1, 1, 1, 1])


def test_a_step_moves_what_is_behind_the_signs():
    """One step of gradient descent on mean squared error, its gradient by numpy."""
    generator = np.random.default_rng(0)
    kernel = generator.standard_normal((6, 5)).astype(np.float32)
    inputs, targets = generator.standard_normal((4, 6)), generator.standard_normal((4, 5))
    model = keras.Sequential([keras.Input((6,)), layers.Dense(5, use_bias=False, name="only")])
    model.layers[0].kernel.assign(kernel)
    trained = reparametrised(model, {"only": BinaryKernel()})
    trained.compile(keras.optimizers.SGD(0.1), "mse")
    trained.train_on_batch(inputs, targets)
    signs, scale = np.sign(kernel), np.abs(kernel).mean()
    upstream = inputs.T @ (2 * (inputs @ (signs * scale) - targets)) / targets.size
    through = upstream * scale * (np.abs(kernel) <= 1)
    through += (upstream * signs).sum() * signs / kernel.size  # of the scale
    np.testing.assert_allclose(
        np.asarray(trained.layers[0]._kernel), kernel - 0.1 * through, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("tune", [False, True])
def test_kernels_have_two_values_and_take_a_bit_each(tune, convolutional, batches):
    def fine_tune(model):
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.fit(*batches[0], epochs=1, verbose=0)

    made = Binarise().apply(convolutional, fine_tune=fine_tune if tune else None)
    assert set(made.report.changed) == {"second", "nested/inside", "twice"}
    assert set(made.report.left) == {"first", "last"}
    found = layers_by_path(made.model)
    for path in made.report.changed:
        low, high = np.unique(np.asarray(found[path].kernel))
        assert low == -high
    size = next(row.value_bytes for row in inspect(pack(made.model)).weights if "twice" in row.path)
    assert size <= 32 * 32 / 8 + 16


def test_the_scale_is_the_best_for_the_signs(convolutional):
    kernel = np.asarray(layers_by_path(convolutional)["twice"].kernel)
    made = Binarise(layers=("twice",)).apply(convolutional)
    after = np.asarray(layers_by_path(made.model)["twice"].kernel)
    best = (kernel * np.sign(kernel)).sum() / kernel.size  # least squares
    np.testing.assert_allclose(after, best * np.sign(kernel), rtol=1e-5)


def test_a_model_of_two_layers_keeps_both(dense):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="a"), layers.Dense(2)])
    made = Binarise().apply(model)
    assert not made.report.changed
    assert set(Binarise().apply(dense).report.changed) == {"second"}
