"""How many bits each kernel is given: one number for all, or by path of the layer."""

from collections.abc import Mapping
from typing import Any

import keras

from slimderm.components.common.checks import check_whole
from slimderm.components.model_graph.calls import layers_by_path
from slimderm.components.model_graph.outputs import has_kernel
from slimderm.components.network_compression.passes import chosen
from slimderm.components.network_compression.reparametrised import has_plain_kernel

LARGEST_BITS = 8
Bits = int | Mapping[str, int]


def check_bits(bits: Bits, *, least: int) -> None:
    """Refuse what are no bits of a kernel.

    Raises
    ------
    ParameterError
        For what is no whole number from ``least`` to 8.
    """
    for layer, number in _patterns(bits).items():
        check_whole("bits", number, least=least, most=LARGEST_BITS, where=f" for {layer}")


def layers_with_bits(
    model: keras.Model, bits: Bits
) -> tuple[dict[str, tuple[Any, int]], dict[str, str]]:
    """Find the layers whose kernels are given bits.

    Parameters
    ----------
    model : keras.Model
        Functional or sequential, built.
    bits : int or mapping
        By pattern of paths; the first that fits a layer counts.

    Returns
    -------
    dict, dict
        Path to layer and its bits, and path to the reason why a layer is left alone.

    Raises
    ------
    ParameterError
        For a pattern that fits no layer.
    """
    layers = {path: layer for path, layer in layers_by_path(model).items() if has_kernel(layer)}
    found: dict[str, tuple[Any, int]] = {}
    for pattern, number in _patterns(bits).items():
        for path in chosen(layers, (pattern,)):
            found.setdefault(path, (layers[path], number))
    left = {
        path: f"a {type(layer).__name__} has no plain kernel"
        for path, (layer, _) in found.items()
        if not has_plain_kernel(layer)
    }
    return {path: found[path] for path in found if path not in left}, left


def _patterns(bits: Bits) -> Mapping[str, int]:
    return bits if isinstance(bits, Mapping) else {"*": bits}
