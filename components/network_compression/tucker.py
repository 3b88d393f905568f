"""Convolutions as three: 1×1 to few channels, the old windows between few, 1×1 to all channels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np

from slimderm.components.network_compression import hosvd
from slimderm.components.network_compression.costs import measure
from slimderm.components.network_compression.factors import CONVOLUTIONS
from slimderm.components.network_compression.faster import check_faster, times
from slimderm.components.network_compression.hosvd import Array
from slimderm.components.network_compression.passes import (
    Compressed,
    Means,
    Order,
    Pass,
)
from slimderm.components.network_compression.ranks import Ranks, meet
from slimderm.components.network_compression.replaceable import replaceable, replaced
from slimderm.components.network_compression.rewrite import rewrite
from slimderm.components.network_compression.tucker_layers import (
    Pair,
    empty_chain,
    error,
    fitted,
    group_shape,
    kernels,
    size,
    sizes,
    to_chain,
    whole_size,
)


@dataclass(frozen=True)
class Tucker(Pass):
    """Replace convolutions by their Tucker-2 decompositions, each group of channels by its own.

    A side whose rank is full gets no 1×1 convolution.

    Attributes
    ----------
    ranks : Ranks
        Of both sides; ``rank`` may be a pair.
    algorithm : str
        A key of `slimderm.components.network_compression.hosvd.ALGORITHMS`.
    layers : sequence of str, optional
        Layers to replace, by path; ``*`` and ``?`` stand for any characters. All convolutions
        where not given.
    faster_only : bool
        Replace a layer only where the three are measured to be faster on this machine.
    """

    ranks: Ranks
    algorithm: str = "randomised"
    layers: Sequence[str] | None = None
    faster_only: bool = False
    order: ClassVar[Order] = Order.SHAPES

    def __post_init__(self) -> None:
        hosvd.get(self.algorithm)
        check_faster(self.faster_only, self.ranks)

    def _compress(self, model: keras.Model, means: Means) -> Compressed:
        found, left = replaceable(model, CONVOLUTIONS, self.layers)
        for path, layer in found.items():
            if np.prod(layer.kernel_size) == 1:
                left[path] = "its kernel has one place; low_rank makes two layers of it"
        layers = {path: layer for path, layer in found.items() if path not in left}
        chains, changed = {}, {}
        for path, pair in self._ranks(model, layers).items():
            layer = layers[path]
            why, measured = self._why_not(model, path, layer, pair)
            if why:
                left[path] = why
                continue
            parts = [
                fitted(kernel, hosvd.get(self.algorithm)(kernel, pair, means.seed))
                for kernel in kernels(layer)
            ]
            chains[path] = to_chain(layer, parts)
            changed[path] = f"{sizes(layer, pair)}, error {error(layer, parts):.3f}{measured}"
        return replaced(model, chains, changed, left, means)

    def _ranks(self, model: keras.Model, layers: Mapping[str, Any]) -> dict[str, Pair]:
        """Choose both ranks of each layer."""
        shapes = {}
        for path, layer in layers.items():
            places, inputs, outputs = group_shape(layer)
            shapes[path, 0] = inputs, places * outputs
            shapes[path, 1] = outputs, places * inputs
        if self.ranks.budget is not None:
            budget = self.ranks.budget

            def cost(ranks: Mapping[tuple[str, int], int]) -> float:
                chains = {
                    path: empty_chain(layers[path], pair)
                    for path, pair in _pairs(layers, ranks).items()
                    if size(layers[path], pair) < whole_size(layers[path])
                }
                return measure(rewrite(model, chains), budget.kind)

            return _pairs(layers, meet(_spectra(layers), budget, cost))
        if not self.ranks.pair:
            return _pairs(layers, self.ranks.of(shapes, lambda: _spectra(layers)))
        ranks: dict[tuple[str, int], int] = {}
        for mode in (0, 1):
            of_mode = {key: shape for key, shape in shapes.items() if key[1] == mode}
            ranks |= self.ranks.of_mode(mode).of(of_mode, lambda: _spectra(layers))
        return _pairs(layers, ranks)

    def _why_not(self, model: keras.Model, path: str, layer: Any, pair: Pair) -> tuple[str, str]:
        """Say why a layer stays, nothing where it does not; and what was measured."""
        if size(layer, pair) >= whole_size(layer):
            return f"{sizes(layer, pair)}: no fewer", ""
        if not self.faster_only:
            return "", ""
        both = times(model, path, empty_chain(layer, pair))
        return ("" if both.faster else f"its parts are not faster: {both}"), f", {both}"


def _spectra(layers: Mapping[str, Any]) -> dict[tuple[str, int], Array]:
    """Return the squared singular values of both sides of each layer, its groups' added up."""
    found = {}
    for path, layer in layers.items():
        both = zip(*(hosvd.spectra(part) for part in kernels(layer)), strict=True)
        for mode, spectra in enumerate(both):
            found[path, mode] = np.sum(spectra, axis=0)
    return found


def _pairs(layers: Mapping[str, Any], ranks: Mapping[tuple[str, int], int]) -> dict[str, Pair]:
    """Return both ranks of each layer, none larger than the other one lets it be of use."""
    pairs = {}
    for path, layer in layers.items():
        places = int(np.prod(layer.kernel_size))
        first, second = ranks[path, 0], ranks[path, 1]
        first = min(first, places * second)
        pairs[path] = first, min(second, places * first)
    return pairs
