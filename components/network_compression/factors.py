"""How a kernel is a matrix, and how the two factors of a matrix are layers again.

A dense kernel is a matrix. A convolution's is one of two: ``channel`` puts height, width and input
channels in rows (a convolution of few filters, then a 1×1 convolution), ``spatial`` height and
input channels in rows, width and output channels in columns (a column, then a row).

References
----------
Denton et al., "Exploiting linear structure within convolutional networks", arXiv:1404.0736;
Jaderberg et al., "Speeding up convolutional neural networks with low rank expansions",
arXiv:1405.3866 (``spatial``); Zhang et al., arXiv:1505.06798 (``channel``, data-aware).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from slimderm.components.common.checks import look_up
from slimderm.components.network_compression.rewrite import Chain

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scheme:
    """One way to see kernels as matrices, and what the factors become.

    Attributes
    ----------
    kinds : tuple of type
        Of the layers that it fits.
    to_matrix : callable
        From the kernel of one group to a matrix of shape (m, n).
    to_chain : callable
        From the layer and the factors of each group, (m, rank) and (rank, n), to layers.
    rows_are_inputs : bool
        Whether a row multiplies one input value of a place, as data-aware factors need.
    """

    kinds: tuple[type, ...]
    to_matrix: Callable[[npt.NDArray[Any]], Matrix]
    to_chain: Callable[[Any, list[tuple[Matrix, Matrix]]], Chain]
    rows_are_inputs: bool


def groups_of(layer: Any) -> int:
    """Return the number of groups of a convolution, 1 for others."""
    return int(getattr(layer, "groups", 1))


def split(layer: Any, scheme: Scheme) -> list[Matrix]:
    """Return the kernel's matrix of each group."""
    kernel = np.asarray(keras.ops.convert_to_numpy(layer.kernel), np.float64)
    return [scheme.to_matrix(part) for part in np.split(kernel, groups_of(layer), axis=-1)]


def break_even(layer: Any, scheme: Scheme) -> float:
    """Return the rank from which on factors hold no fewer weights than the kernel."""
    matrix = split(layer, scheme)[0]
    return matrix.size / sum(matrix.shape)


def join(layer: Any, products: list[Matrix]) -> npt.NDArray[Any]:
    """Return the kernel of the approximated matrices of each group, where rows are inputs."""
    return np.concatenate(products, axis=1).reshape(layer.kernel.shape)


def common(layer: Any) -> dict[str, Any]:
    """Return what the first layers of a chain take over from the layer that they replace."""
    return {"use_bias": False, "dtype": layer.dtype_policy, "trainable": layer.trainable}


def last(layer: Any, **changes: Any) -> dict[str, Any]:
    """Return the config of the layer that ends a chain: the own name, bias and activation."""
    config: dict[str, Any] = layer.get_config() | changes
    for key in ("kernel_regularizer", "kernel_constraint"):  # they were for another matrix
        config[key] = None
    return config


def ending(layer: Any, kernel: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    """Return the weights of the layer that ends a chain."""
    bias = [] if layer.bias is None else [np.asarray(keras.ops.convert_to_numpy(layer.bias))]
    return [kernel, *bias]


def _dense(layer: Any, factors: list[tuple[Matrix, Matrix]]) -> Chain:
    [(first, second)] = factors
    inner = keras.layers.Dense(first.shape[1], name=f"{layer.name}_factor", **common(layer))
    return [(inner, [first]), (type(layer).from_config(last(layer)), ending(layer, second))]


def windows(layer: Any, filters: int, name: str) -> Any:
    """Return a convolution with the windows of the one that it stands for, without its bias."""
    return type(layer)(
        filters,
        layer.kernel_size,
        strides=layer.strides,
        padding=layer.padding,
        dilation_rate=layer.dilation_rate,
        groups=layer.groups,
        data_format=layer.data_format,
        name=name,
        **common(layer),
    )


def last_places(layer: Any) -> Any:
    """Return the convolution of one place that ends a chain."""
    ones = (1,) * len(layer.kernel_size)
    changes = {"kernel_size": ones, "strides": ones, "padding": "valid", "dilation_rate": ones}
    return type(layer).from_config(last(layer, **changes))


def _channel(layer: Any, factors: list[tuple[Matrix, Matrix]]) -> Chain:
    rank = factors[0][0].shape[1]
    ones = (1,) * len(layer.kernel_size)
    inner = windows(layer, rank * len(factors), f"{layer.name}_factor")
    shape = (*layer.kernel.shape[:-1], -1)
    first = np.concatenate([one.reshape(shape) for one, _ in factors], axis=-1)
    second = np.concatenate([two.reshape(*ones, rank, -1) for _, two in factors], axis=-1)
    return [(inner, [first]), (last_places(layer), ending(layer, second))]


def _spatial_matrix(kernel: npt.NDArray[Any]) -> Matrix:
    height, width, channels, filters = kernel.shape
    return kernel.transpose(0, 2, 1, 3).reshape(height * channels, width * filters)


def _spatial(layer: Any, factors: list[tuple[Matrix, Matrix]]) -> Chain:
    rank = factors[0][0].shape[1]
    (height, width), channels = layer.kernel_size, layer.kernel.shape[2]
    shared = {"padding": layer.padding, "data_format": layer.data_format}
    inner = type(layer)(
        rank * len(factors),
        (height, 1),
        strides=(layer.strides[0], 1),
        dilation_rate=(layer.dilation_rate[0], 1),
        groups=layer.groups,
        name=f"{layer.name}_factor",
        **shared,
        **common(layer),
    )
    outer = type(layer).from_config(
        last(
            layer,
            kernel_size=(1, width),
            strides=(1, layer.strides[1]),
            dilation_rate=(1, layer.dilation_rate[1]),
        )
    )
    first = np.concatenate([one.reshape(height, 1, channels, rank) for one, _ in factors], axis=-1)
    second = np.concatenate([two.reshape(1, rank, width, -1) for _, two in factors], axis=-1)
    return [(inner, [first]), (outer, ending(layer, second.transpose(0, 2, 1, 3)))]


def _rows(kernel: npt.NDArray[Any]) -> Matrix:
    return kernel.reshape(-1, kernel.shape[-1])


CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
SCHEMES = {
    "dense": Scheme((keras.layers.Dense,), _rows, _dense, rows_are_inputs=True),
    "channel": Scheme(CONVOLUTIONS, _rows, _channel, rows_are_inputs=True),
    "spatial": Scheme((keras.layers.Conv2D,), _spatial_matrix, _spatial, rows_are_inputs=False),
}


def get(name: str) -> Scheme:
    """Look up a scheme by its name.

    Raises
    ------
    ParameterError
        When no scheme has that name; the message lists the names.
    """
    return look_up("scheme", name, SCHEMES)
