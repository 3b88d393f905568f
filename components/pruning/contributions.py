"""What each channel adds to the outputs of the layers that read it."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from slimderm.components.model_graph.channel_labels import FIXED, Labels
from slimderm.components.pruning.criteria.base import Floats

CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
Random = np.random.Generator


def sums_over_channels(layer: Any) -> bool:
    """Tell whether a layer is one whose contributions are known: dense, or a plain convolution."""
    if type(layer) is keras.layers.Dense:
        return True
    return type(layer) in CONVOLUTIONS and layer.groups == 1


def windows(layer: Any, values: Floats, places: int, random: Random) -> Floats:
    """Take what a layer multiplies its kernel with at some random places of its output.

    Parameters
    ----------
    layer : keras.Layer
        For which `sums_over_channels` holds.
    values : float64 array of shape (N, ..., C)
        Its inputs, channels last.
    places : int
        Of each of the N inputs, without repetition; fewer where the output has fewer.
    random : numpy Generator

    Returns
    -------
    float64 array of shape (N * places, taps, C)
        ``taps`` is 1 for a dense layer, else the places of the kernel.
    """
    if type(layer) is keras.layers.Dense:
        rows = values.reshape(len(values), -1, values.shape[-1])
        chosen = random.permutation(rows.shape[1])[:places]
        return rows[:, chosen].reshape(-1, 1, values.shape[-1])
    spatial = list(zip(layer.kernel_size, layer.strides, layer.dilation_rate, strict=True))
    sizes, before, after = [], [], []
    for size, (taps, stride, dilation) in zip(values.shape[1:-1], spatial, strict=True):
        extent = (taps - 1) * dilation + 1
        if layer.padding == "valid":
            made, missing = (size - extent) // stride + 1, 0
        else:
            made = -(-size // stride)
            missing = max((made - 1) * stride + extent - size, 0)
        first = extent - 1 if layer.padding == "causal" else missing // 2
        sizes.append(made)
        before.append(first)
        after.append(max(missing - first, 0))
    padded = np.pad(values, [(0, 0), *zip(before, after, strict=True), (0, 0)])
    chosen = random.permutation(int(np.prod(sizes)))[:places]
    index: list[Any] = []
    for axis, (place, (taps, stride, dilation)) in enumerate(
        zip(np.unravel_index(chosen, sizes), spatial, strict=True)
    ):
        steps = place[:, None] * stride + np.arange(taps) * dilation  # (places, taps)
        shape = [len(chosen)] + [1] * len(spatial)
        shape[axis + 1] = taps
        index.append(steps.reshape(shape))
    found = padded[(slice(None), *index)]  # (N, places, taps..., C)
    return found.reshape(len(values) * len(chosen), -1, values.shape[-1])


def products_of_contributions(
    kernel: npt.NDArray[Any], taken: Floats, labels: Labels
) -> tuple[Labels, Floats]:
    """Sum over outputs and places the products of what two sets of coupled channels add there.

    Parameters
    ----------
    kernel : array of shape (..., C, outputs)
        The reading layer's.
    taken : float64 array of shape (places, taps, C)
        As `windows` gives it.
    labels : int64 array of shape (C,)
        The coupled set of each input channel, or `FIXED`.

    Returns
    -------
    sets : int64 array of shape (S,)
        The coupled sets among the labels, rising.
    products : float64 array of shape (S, S)
        The sum of x xᵀ, for x what each set adds to one output at one place.
    """
    weights = kernel.reshape(taken.shape[1], len(labels), -1).astype(np.float64)
    places = np.flatnonzero(labels != FIXED)
    order = places[np.argsort(labels[places], kind="stable")]
    sets, starts = np.unique(labels[order], return_index=True)
    weights, products = weights[:, order], np.zeros((len(sets), len(sets)))
    for window in taken[..., order]:  # (taps, C)
        parts = np.einsum("tc,tco->co", window, weights)
        added = np.add.reduceat(parts, starts)  # (S, outputs)
        products += added @ added.T
    return sets, products


def products_of_channels(values: Floats, labels: Labels) -> tuple[Labels, Floats]:
    """Sum the squares of each set of coupled channels: as above where no two are added.

    Parameters
    ----------
    values : float64 array of shape (N, ..., C)
        Channels last.
    labels : int64 array
        The coupled set of each channel, or `FIXED`; C is a multiple of its length.

    Returns
    -------
    sets, products
        As `products_of_contributions`; the products are a diagonal matrix.
    """
    squares = (values.reshape(-1, len(labels)) ** 2).sum(0)
    inside = labels != FIXED
    sets, places = np.unique(labels[inside], return_inverse=True)
    return sets, np.diag(np.bincount(places, squares[inside]))
