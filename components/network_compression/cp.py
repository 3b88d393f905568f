"""Convolutions as four: 1×1, a column for each channel, a row for each channel, 1×1."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar

import keras
import numpy as np

from slimderm.components.common.checks import check_whole
from slimderm.components.common.errors import ParameterError
from slimderm.components.network_compression.factors import common, ending, last_places
from slimderm.components.network_compression.faster import times
from slimderm.components.network_compression.parafac import Components, decompose
from slimderm.components.network_compression.passes import (
    Compressed,
    Means,
    Order,
    Pass,
)
from slimderm.components.network_compression.replaceable import replaceable, replaced
from slimderm.components.network_compression.rewrite import Chain


@dataclass(frozen=True)
class CP(Pass):
    """Replace convolutions by their CP decompositions; Tucker loses less at the same weights.

    Attributes
    ----------
    rank : int, optional
        Channels between the four, for every layer.
    share : float, optional
        In (0, 1): of the weights of each kernel that the four may have. Exactly one of the two is
        given.
    layers : sequence of str, optional
        Layers to replace, by path; ``*`` and ``?`` stand for any characters. All convolutions of
        two dimensions where not given.
    faster_only : bool
        Replace a layer only where the four are measured to be faster on this machine.
    """

    rank: int | None = None
    share: float | None = None
    layers: Sequence[str] | None = None
    faster_only: bool = False
    order: ClassVar[Order] = Order.SHAPES

    def __post_init__(self) -> None:
        rank, share = self.rank, self.share
        if (rank is None) == (share is None):
            raise ParameterError(
                f"ranks: received rank {rank} and share {share}, expected exactly one of them"
            )
        if rank is not None:
            check_whole("rank", rank)
        if share is not None and (not isinstance(share, Real) or not 0 < share < 1):
            raise ParameterError(f"share: received {share!r}, expected one above 0 and below 1")

    def _compress(self, model: keras.Model, means: Means) -> Compressed:
        found, left = replaceable(model, (keras.layers.Conv2D,), self.layers)
        chains, changed = {}, {}
        for path, layer in found.items():
            rank = self._rank(layer)
            why, measured = self._why_not(model, path, layer, rank)
            if why:
                left[path] = why
                continue
            kernel = np.asarray(keras.ops.convert_to_numpy(layer.kernel), np.float64)
            parts = decompose(kernel, rank, means.seed)
            lost = np.linalg.norm(kernel - parts.product()) / (np.linalg.norm(kernel) or 1.0)
            chains[path] = to_chain(layer, parts)
            changed[path] = (
                f"rank {rank}, {kernel.size:,} weights to {rank * sum(kernel.shape):,}, "
                f"error {lost:.3f}{measured}"
            )
        return replaced(model, chains, changed, left, means)

    def _rank(self, layer: Any) -> int:
        if self.rank is not None:
            return self.rank
        assert self.share is not None
        shape = layer.kernel.shape
        return max(int(self.share * math.prod(shape) / sum(shape)), 1)

    def _why_not(self, model: keras.Model, path: str, layer: Any, rank: int) -> tuple[str, str]:
        """Say why a layer stays, nothing where it does not; and what was measured."""
        shape = layer.kernel.shape
        if layer.groups > 1:
            return f"it has {layer.groups} groups", ""
        if math.prod(layer.kernel_size) == 1:
            return "its kernel has one place; low_rank makes two layers of it", ""
        size, whole = rank * sum(shape), math.prod(shape)
        if size >= whole:
            return f"rank {rank} has {size:,} weights, its kernel has {whole:,}", ""
        if not self.faster_only:
            return "", ""
        empty = Components(*(np.zeros((one, rank)) for one in shape))
        both = times(model, path, to_chain(layer, empty))
        return ("" if both.faster else f"its parts are not faster: {both}"), f", {both}"


def to_chain(layer: Any, parts: Components) -> Chain:
    """Return the four layers of a convolution."""
    column, row, inputs, outputs = parts
    rank = column.shape[1]
    first = keras.layers.Conv2D(
        rank, 1, data_format=layer.data_format, name=f"{layer.name}_first", **common(layer)
    )
    return [
        (first, [inputs[None, None]]),
        _for_each_channel(layer, column[:, None], "column", axis=0),
        _for_each_channel(layer, row[None, :], "row", axis=1),
        (last_places(layer), ending(layer, outputs.T[None, None])),
    ]


def _for_each_channel(layer: Any, windows: Any, name: str, axis: int) -> tuple[Any, list[Any]]:
    """Return a convolution of each channel with its window, (height, width, channels)."""
    strides, dilation = (
        tuple(value if place == axis else 1 for place, value in enumerate(values))
        for values in (layer.strides, layer.dilation_rate)
    )
    settings = {
        "strides": strides,
        "padding": layer.padding,
        "dilation_rate": dilation,
        "data_format": layer.data_format,
        "name": f"{layer.name}_{name}",
        **common(layer),
    }
    *window, channels = windows.shape
    if len(set(strides)) == 1:
        return keras.layers.DepthwiseConv2D(window, **settings), [windows[..., None]]
    # TensorFlow's depthwise convolution knows one stride for both directions.
    made = keras.layers.Conv2D(channels, window, groups=channels, **settings)
    return made, [windows[:, :, None]]
