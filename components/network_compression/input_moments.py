"""Second moments of what layers multiply with, measured on data."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from slimderm.components.keras_support.listening import listening, pairs
from slimderm.components.network_compression.passes import Batches

Moments = list[npt.NDArray[np.float64]]


def input_moments(
    model: keras.Model, layers: Mapping[str, Any], data: Batches
) -> dict[str, Moments]:
    """Measure the mean of x xᵀ over all inputs x that a layer's kernel is multiplied with.

    Parameters
    ----------
    model : keras.Model
        Run as in prediction.
    layers : mapping
        Path to a dense layer or convolution of the model.
    data : iterable of (inputs, targets)
        Batches; targets are not used.

    Returns
    -------
    dict
        Path to a float64 matrix of shape (m, m) for each group of channels; m are the values of
        one place: the units before a dense layer, height × width × channels of a kernel.

    Raises
    ------
    ParameterError
        When there is no batch, or one that is no pair of inputs and targets.
    """
    paths = {id(layer): path for path, layer in layers.items()}
    sums: dict[str, Any] = {path: [0.0] for path in layers}
    counts = dict.fromkeys(layers, 0)

    def note(layer: Any, inputs: Any) -> None:
        path = paths[id(layer)]
        rows = _rows(layer, inputs)
        number = rows[0].shape[0]
        sums[path] = [
            total + part.T @ part
            for total, part in zip(sums[path] * (len(rows) // len(sums[path])), rows, strict=True)
        ]
        counts[path] += number

    with listening(list(layers.values()), note):
        for inputs, _ in pairs(data):
            model(inputs, training=False)
    return {path: [total / counts[path] for total in sums[path]] for path in layers}


def _rows(layer: Any, inputs: Any) -> list[npt.NDArray[np.float64]]:
    """Return what each group of a kernel multiplies with, a row for each place."""
    if isinstance(layer, keras.layers.Dense):
        values = np.asarray(keras.ops.convert_to_numpy(inputs), np.float64)
        return [values.reshape(-1, values.shape[-1])]
    values = np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(inputs, "float32")))
    if layer.data_format == "channels_first":
        values = np.moveaxis(values, 1, -1)
    windows = places(layer, values)  # (N, places..., kernel..., channels)
    groups = np.split(windows, layer.groups, axis=-1)
    size = int(np.prod(layer.kernel_size))
    return [group.reshape(-1, size * group.shape[-1]).astype(np.float64) for group in groups]


def places(layer: Any, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the window of each place that a convolution looks at, as a view.

    Parameters
    ----------
    layer : keras.Layer
        The convolution; its own channels do not count.
    values : array of shape (N, places..., C)
        Zeros are put around them where the layer pads.

    Returns
    -------
    array of shape (N, places..., kernel..., C)
    """
    padded = np.pad(values, [(0, 0), *_padding(layer, values.shape[1:-1]), (0, 0)])
    reach = [
        (size - 1) * rate + 1
        for size, rate in zip(layer.kernel_size, layer.dilation_rate, strict=True)
    ]
    axes = tuple(range(1, values.ndim - 1))
    windows = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=axes)
    steps = tuple(slice(None, None, step) for step in layer.strides)
    holes = tuple(slice(None, None, rate) for rate in layer.dilation_rate)
    windows = windows[(slice(None), *steps, slice(None), *holes)]
    return np.moveaxis(windows, len(axes) + 1, -1)


def _padding(layer: Any, shape: tuple[int, ...]) -> list[tuple[int, int]]:
    widths = []
    for size, kernel, step, rate in zip(
        shape, layer.kernel_size, layer.strides, layer.dilation_rate, strict=True
    ):
        reach = (kernel - 1) * rate
        if layer.padding == "valid":
            widths.append((0, 0))
        elif layer.padding == "causal":
            widths.append((reach, 0))
        else:
            whole = max((-(-size // step) - 1) * step + reach + 1 - size, 0)
            widths.append((whole // 2, whole - whole // 2))
    return widths
