"""The sum of gradients over replicas, left out where there is one.

Upstream: `TFOptimizer._all_reduce_sum_gradients` in ``keras/src/backend/tensorflow/optimizer.py``
(Keras 3.15); the memory that TensorFlow keeps is keras-team/tf-keras#286. Where Keras has no such
method, its optimizer is left as it is.
"""

import keras

from slimderm.components.keras_support.guard import has_parameters, warn_once

NAME = "_all_reduce_sum_gradients"


def spare_sum(optimizer: keras.optimizers.Optimizer) -> None:
    """Let an optimizer take gradients as they are, unless a distribution strategy is at work.

    Keras on TensorFlow sums gradients over replicas even where there is one. TensorFlow keeps the
    operation for good, and with it the graph of the training step. On other backends nothing is
    done.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer
        The one that moves the weights: of a `LossScaleOptimizer` the inner one.
    """
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    if tf.distribute.has_strategy():
        return
    if not has_parameters(getattr(type(optimizer), NAME, None), "self", "grads_and_vars"):
        warn_once(f"Optimizer.{NAME}(grads_and_vars)", "each training keeps its graph in memory")
        return
    setattr(optimizer, NAME, list)
