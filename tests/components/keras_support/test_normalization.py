"""The oracle is Keras's own layer, on the same weights and the same batch."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from slimderm.components.keras_support.normalization import fused_batch_normalization

BATCH = np.random.default_rng(0).normal(3, 2, (3, 2, 2, 5)).astype("float32")  # twelve a channel


def model_of(*stack):
    keras.utils.set_random_seed(1)
    inputs = keras.Input(BATCH.shape[1:])
    outputs = inputs
    for layer in stack:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


def trained(model, fused, steps=3):
    """Return the losses and the weights after a few steps of plain gradient descent."""
    model.compile(keras.optimizers.SGD(0.1), "mse")
    targets = np.random.default_rng(1).normal(size=(len(BATCH), *model.output_shape[1:]))
    with fused_batch_normalization(model) if fused else fused_batch_normalization(model_of()):
        losses = [float(model.train_on_batch(BATCH, targets)) for _ in range(steps)]
    return losses, model.get_weights()


def stacks(dtype):
    return {
        "plain": [layers.BatchNormalization(dtype=dtype)],
        "unscaled": [
            layers.BatchNormalization(scale=False, center=False, dtype=dtype),
            layers.Dense(2, dtype="float32"),
        ],
        "momentum": [layers.BatchNormalization(momentum=0.5, epsilon=0.1, dtype=dtype)],
        "between": [
            layers.Conv2D(4, 2, padding="same", dtype=dtype),
            layers.BatchNormalization(dtype=dtype),
            layers.ReLU(dtype=dtype),
            layers.Conv2D(2, 1, dtype="float32"),
        ],
        "nested": [keras.Sequential([layers.BatchNormalization(dtype=dtype)])],
        "frozen": [layers.BatchNormalization(trainable=False, dtype=dtype), layers.Dense(2)],
        "axis": [layers.BatchNormalization(axis=1, dtype=dtype)],
        "dense": [layers.Flatten(), layers.BatchNormalization(dtype=dtype)],
        "renorm": [layers.BatchNormalization(renorm=True, dtype=dtype)],
    }


@pytest.mark.parametrize("dtype, close", [("float32", 1e-5), ("mixed_bfloat16", 3e-2)])
@pytest.mark.parametrize("name", stacks("float32"))
def test_it_trains_as_keras_does(name, dtype, close):
    (losses, weights), (expected_losses, expected) = (
        trained(model_of(*stacks(dtype)[name]), fused) for fused in (True, False)
    )
    np.testing.assert_allclose(losses, expected_losses, rtol=close)
    for found, wanted in zip(weights, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=close, atol=close)


def test_the_kernel_is_used_while_it_trains_and_nothing_of_it_stays(tmp_path):
    model = model_of(*stacks("float32")["between"])

    @tf.function
    def step(batch):
        return model(batch, training=True)

    def operations():
        concrete = step.get_concrete_function(keras.ops.convert_to_tensor(BATCH))
        return {operation.type for operation in concrete.graph.get_operations()}

    with fused_batch_normalization(model):
        assert "FusedBatchNormV3" in operations()
    assert all("call" not in vars(layer) for layer in model.layers)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(BATCH, verbose=0), model.predict(BATCH, verbose=0))
