"""Convolutions as depthwise-separable ones that start from the trained kernel.

References
----------
Guo et al., "Network decoupling: from regular to depthwise separable convolutions",
arXiv:1808.05517: a kernel is a sum of separable ones, found by an SVD for each input channel.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
import numpy.typing as npt

from slimderm.components.common.checks import check_whole
from slimderm.components.network_compression.factors import ending, last
from slimderm.components.network_compression.passes import (
    Compressed,
    Means,
    Order,
    Pass,
)
from slimderm.components.network_compression.replaceable import replaceable, replaced
from slimderm.components.network_compression.rewrite import Chain

Array = npt.NDArray[np.float64]
KINDS: dict[type, Any] = {
    keras.layers.Conv1D: keras.layers.SeparableConv1D,
    keras.layers.Conv2D: keras.layers.SeparableConv2D,
}


@dataclass(frozen=True)
class Separable(Pass):
    """Replace convolutions by depthwise-separable ones, the nearest to their kernels.

    Attributes
    ----------
    depth_multiplier : int
        Windows for each input channel.
    layers : sequence of str, optional
        Layers to replace, by path; ``*`` and ``?`` stand for any characters. All convolutions of
        one and two dimensions where not given.
    """

    depth_multiplier: int = 1
    layers: Sequence[str] | None = None
    order: ClassVar[Order] = Order.SHAPES

    def __post_init__(self) -> None:
        check_whole("depth_multiplier", self.depth_multiplier)

    def _compress(self, model: keras.Model, means: Means) -> Compressed:
        found, left = replaceable(model, tuple(KINDS), self.layers)
        chains, changed = {}, {}
        for path, layer in found.items():
            why = self._why_not(layer)
            if why:
                left[path] = why
                continue
            depthwise, pointwise, error = nearest(_kernel(layer), self.depth_multiplier)
            chains[path] = to_chain(layer, depthwise, pointwise)
            changed[path] = (
                f"{math.prod(layer.kernel.shape):,} weights to "
                f"{depthwise.size + pointwise.size:,}, error {error:.3f}"
            )
        return replaced(model, chains, changed, left, means)

    def _why_not(self, layer: Any) -> str:
        *window, inputs, filters = layer.kernel.shape
        places, several = math.prod(window), self.depth_multiplier
        if layer.groups > 1:
            return f"it has {layer.groups} groups"
        if len(set(layer.strides)) > 1:
            return f"it has strides {layer.strides}; separable layers have one for all directions"
        if layer.padding == "causal":
            return "it has causal padding, which separable layers have not"
        if several > min(places, filters):
            return f"each of its input channels has at most {min(places, filters)} windows"
        size = inputs * several * (places + filters)
        if size >= places * inputs * filters:
            return f"{size:,} weights instead of {places * inputs * filters:,}: no fewer"
        return ""


def _kernel(layer: Any) -> Array:
    return np.asarray(keras.ops.convert_to_numpy(layer.kernel), np.float64)


def nearest(kernel: Array, depth_multiplier: int) -> tuple[Array, Array, float]:
    """Find the separable convolution whose kernel is nearest.

    Parameters
    ----------
    kernel : float64 array of shape (window..., inputs, filters)
        Of a convolution.
    depth_multiplier : int
        Windows for each input channel.

    Returns
    -------
    float64 array of shape (window..., inputs, depth_multiplier)
        The windows.
    float64 array of shape (1..., inputs × depth_multiplier, filters)
        What joins them.
    float
        What is lost, relative, by the Frobenius norm.
    """
    *window, inputs, filters = kernel.shape
    slices = kernel.reshape(-1, inputs, filters).transpose(1, 0, 2)  # (inputs, places, filters)
    left, values, right = np.linalg.svd(slices, full_matrices=False)
    roots = np.sqrt(values[:, :depth_multiplier])  # both sides are scaled alike
    depthwise = (left[:, :, :depth_multiplier] * roots[:, None, :]).transpose(1, 0, 2)
    pointwise = (roots[:, :, None] * right[:, :depth_multiplier]).reshape(-1, filters)
    lost = (values[:, depth_multiplier:] ** 2).sum() / max((values**2).sum(), 1e-300)
    ones = (1,) * len(window)
    return (
        depthwise.reshape(*window, inputs, depth_multiplier),
        pointwise.reshape(*ones, *pointwise.shape),
        float(np.sqrt(lost)),
    )


def to_chain(layer: Any, depthwise: Array, pointwise: Array) -> Chain:
    """Return the separable layer, with the name, bias and activation of the one it replaces."""
    config = last(layer, depth_multiplier=depthwise.shape[-1])
    for key in ("groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint"):
        del config[key]
    made = KINDS[type(layer)].from_config(config)
    return [(made, [depthwise, *ending(layer, pointwise)])]
