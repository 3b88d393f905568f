"""What a network looks for and what it finds: its filters and its activation maps."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import graph_of
from slimderm.components.model_graph.outputs import arrange, output_of, take, to_numpy

Images = npt.NDArray[np.float32]


def filter_images(model: keras.Model, layer: str, *, max_filters: int = 16) -> Images:
    """Show a convolution's filters as images.

    Parameters
    ----------
    model : keras.Model
        Functional or sequential.
    layer : str
        A two-dimensional convolution: plain, transposed or depthwise.
    max_filters : int
        The first so many, at least 1.

    Returns
    -------
    numpy.ndarray
        (F, height, width, 3) float32 in [0, 1] where a filter reads three channels, else
        (F, height, width, 1), the mean over the channels it reads. Each filter has its own scale.

    Raises
    ------
    ParameterError
        For an unknown layer, one that is no such convolution, or fewer filters than one.
    """
    output_of(model, layer)
    _at_least_one("max_filters", max_filters)
    found = model.get_layer(layer)
    kernel = getattr(found, "kernel", None)
    if kernel is None or len(kernel.shape) != 4:
        raise ParameterError(f"layer: received {layer!r}, expected a two-dimensional convolution")
    values = to_numpy(kernel).astype(np.float32)  # (h, w, channels, filters)
    if isinstance(found, keras.layers.Conv2DTranspose):
        values = values.swapaxes(2, 3)
    elif isinstance(found, keras.layers.DepthwiseConv2D):
        values = values.reshape(*values.shape[:2], 1, -1)
    filters = np.moveaxis(values, -1, 0)[:max_filters]  # (F, h, w, C)
    if filters.shape[-1] != 3:
        filters = filters.mean(-1, keepdims=True)
    return _scaled(filters)


def activation_maps(model: keras.Model, inputs: Any, layer: str, *, max_maps: int = 16) -> Images:
    """Show what a layer makes of the first sample of a batch, its strongest channels first.

    Parameters
    ----------
    model : keras.Model
        Functional or sequential.
    inputs : array, list or dict
        As for the model; a dict goes by the names of the model's inputs.
    layer : str
        Its output is a map, channels last.
    max_maps : int
        The channels of the greatest mean magnitude, so many, at least 1.

    Returns
    -------
    numpy.ndarray
        (M, height, width) float32 in [0, 1], each map on its own scale.

    Raises
    ------
    ParameterError
        For an unknown layer, one whose output is no map, or fewer maps than one.
    """
    output = output_of(model, layer)
    _at_least_one("max_maps", max_maps)
    if len(output.shape) != 4:
        raise ParameterError(f"layer: received {layer!r} of shape {output.shape}, expected a map")
    graph: Any = graph_of(model)
    sample = take(arrange(graph, inputs), 0)
    maps = to_numpy(keras.Model(graph.input, output)(sample, training=False))
    first = np.moveaxis(maps[0], -1, 0).astype(np.float32)  # (C, h, w)
    order = np.argsort(-np.abs(first).mean((1, 2)), kind="stable")
    return _scaled(first[order[:max_maps]])


def _at_least_one(name: str, number: int) -> None:
    if number < 1:
        raise ParameterError(f"{name}: received {number}, expected at least 1")


def _scaled(images: Images) -> Images:
    """Stretch each image over [0, 1]; one that is flat becomes zero."""
    axes = tuple(range(1, images.ndim))
    low, high = images.min(axes, keepdims=True), images.max(axes, keepdims=True)
    spread: Images = np.zeros_like(images)
    np.divide(images - low, high - low, out=spread, where=high > low)
    return spread
