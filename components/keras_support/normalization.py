"""Batch normalization by TensorFlow's one kernel while a network trains.

Keras 3 computes the layer by a dozen operations in float32, each of which reads all activations
again: on a CPU they cost DenseNet169 more than its convolutions (``benchmarks/training.py``
measures both). JAX and PyTorch keep Keras's own layer.

Upstream: `BatchNormalization.call` in ``keras/src/layers/normalization/batch_normalization.py``
(Keras 3.15). Where its parameters differ, or a model does not list its layers, Keras's own layer
trains.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Any

import keras

from slimderm.components.keras_support.guard import has_parameters, warn_once

FUSED_DTYPES = ("float32", "bfloat16", "float16")


@contextmanager
def fused_batch_normalization(model: keras.Model) -> Iterator[None]:
    """Train a model's batch normalizations by the fused kernel; afterwards all is as before.

    It computes what Keras computes, to rounding: the same statistics of the batch, the same moving
    averages. Other layers are left to Keras: with a mask, renormalized, over another axis
    than the last, of other than images' activations, of double precision; all of them on JAX and
    PyTorch.

    Parameters
    ----------
    model : keras.Model
        Built; its layers stay the standard ones, what is saved does not differ.
    """
    fitting = []
    if keras.backend.backend() == "tensorflow" and _is_as_expected(model):
        fitting = [layer for layer in model._flatten_layers() if _fits(layer)]
    for layer in fitting:
        layer.call = MethodType(_call, layer)
    try:
        yield
    finally:
        for layer in fitting:
            del layer.call


def _is_as_expected(model: keras.Model) -> bool:
    call = keras.layers.BatchNormalization.call
    if has_parameters(call, "self", "inputs", "training", "mask") and callable(
        getattr(model, "_flatten_layers", None)
    ):
        return True
    warn_once(
        "BatchNormalization.call(inputs, training, mask) or Model._flatten_layers",
        "batch normalization is trained by Keras's own slower layer",
    )
    return False


def _fits(layer: keras.layers.Layer) -> bool:
    return (
        type(layer) is keras.layers.BatchNormalization
        and layer.compute_dtype in FUSED_DTYPES
        and not (layer.renorm or layer.synchronized)
    )


def _call(layer: Any, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
    last = len(inputs.shape) - 1
    if not (training and layer.trainable and mask is None and last == 3 and layer.axis in (-1, 3)):
        return type(layer).call(layer, inputs, training=training, mask=mask)
    import tensorflow as tf

    empty, channels = tf.zeros([0]), inputs.shape[-1:]
    output, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs,  # (N, H, W, C)
        scale=tf.cast(layer.gamma, "float32") if layer.scale else tf.ones(channels),
        offset=tf.cast(layer.beta, "float32") if layer.center else tf.zeros(channels),
        mean=empty,
        variance=empty,
        epsilon=layer.epsilon,
        is_training=True,
    )
    count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:-1]), "float32")
    biased = variance * (count - 1) / count  # the kernel estimates the population's, Keras does not
    for moving, batch in ((layer.moving_mean, mean), (layer.moving_variance, biased)):
        moving.assign(moving * layer.momentum + tf.cast(batch, moving.dtype) * (1 - layer.momentum))
    return output
