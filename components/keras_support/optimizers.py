"""The sum of gradients over replicas, left out where there is one."""

import keras


def spare_sum(optimizer: keras.optimizers.Optimizer) -> None:
    """Let an optimizer take gradients as they are, unless a distribution strategy is at work.

    Keras on TensorFlow sums them over replicas even where there is one, by an operation that
    TensorFlow keeps for good, and with it the whole graph of the training step
    (keras-team/tf-keras#286). On other backends nothing is done.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer
        The one that moves the weights: of a `LossScaleOptimizer` the inner one.
    """
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    if not tf.distribute.has_strategy():
        optimizer._all_reduce_sum_gradients = list
