"""Batch normalization's moving statistics, recomputed from data.

While a network trains, its moving statistics are averages over the weights of the last steps: they
describe a network that does not exist. What is judged by them swings from epoch to epoch
(``benchmarks/best_epoch.py`` measures how far).

Upstream: `BatchNormalization.call` in ``keras/src/layers/normalization/batch_normalization.py``
(Keras 3.15), which Keras offers no way to run with batch statistics while other layers predict.

References
----------
Wu, Johnson, "Rethinking 'Batch' in BatchNorm", arXiv:2105.07576, section 3.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import MethodType
from typing import Any

import keras
import numpy as np


def recompute_statistics(model: keras.Model, batches: Iterable[Any]) -> None:
    """Set each batch normalization's moving mean and variance to those of given data.

    Each batch is normalised by its own statistics, as in training; all other layers compute as in
    prediction. The moving statistics become the mean and variance over all batches. Frozen layers
    keep theirs.

    Parameters
    ----------
    model : keras.Model
        Changed in place.
    batches : iterable
        What the model is called with, batch by batch; no batch changes nothing. A batch should hold
        several images of each class, for its statistics to stand for the data's.
    """
    layers = model._flatten_layers()
    found = [_Sums(layer) for layer in layers if _has_moving_statistics(layer)]
    if not found:
        return
    with _summing(found), _without_gradients():
        for inputs in batches:
            model(inputs, training=False)
    for sums in found:
        sums.assign()


def _has_moving_statistics(layer: Any) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization) and layer.trainable


class _Sums:
    """Sums of a layer's batch statistics; a shared layer adds some at each of its places."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer
        self.moving = (layer.moving_mean, layer.moving_variance)
        self.before = [keras.ops.convert_to_numpy(each) for each in self.moving]
        self.count = 0
        self.mean: Any = 0.0
        self.square: Any = 0.0

    def add(self, num_images: int) -> None:
        mean, variance = (
            np.asarray(keras.ops.convert_to_numpy(each), np.float64) for each in self.moving
        )
        self.count += num_images
        self.mean = self.mean + num_images * mean
        self.square = self.square + num_images * (variance + mean**2)

    def assign(self) -> None:
        values = self.before
        if self.count:
            mean = self.mean / self.count
            values = [mean, np.maximum(self.square / self.count - mean**2, 0)]
        for moving, value in zip(self.moving, values, strict=True):
            moving.assign(value.astype(moving.dtype))


@contextmanager
def _summing(found: Sequence[_Sums]) -> Iterator[None]:
    """Let layers normalise by the batch's statistics, and sum them."""

    def call(sums: _Sums) -> Any:
        def summed(layer: Any, inputs: Any, training: Any = None, mask: Any = None) -> Any:
            output = type(layer).call(layer, inputs, training=True, mask=mask)
            sums.add(int(inputs.shape[0]))
            return output

        return MethodType(summed, sums.layer)

    before = [(sums.layer, sums.layer.momentum, vars(sums.layer).get("call")) for sums in found]
    for sums in found:
        sums.layer.momentum = 0.0  # the moving statistics become the batch's
        sums.layer.call = call(sums)
    try:
        yield
    finally:
        for layer, momentum, own in before:
            layer.momentum = momentum
            del layer.call
            if own is not None:  # another change, that outlives this one
                layer.call = own


@contextmanager
def _without_gradients() -> Iterator[None]:
    if keras.backend.backend() != "torch":
        yield
        return
    import torch

    with torch.no_grad():
        yield
