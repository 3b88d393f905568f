"""Tucker-2 of a convolution's kernel as layers: what they are, and how many weights they have."""

import math
from typing import Any

import keras
import numpy as np

from slimderm.components.network_compression.factors import (
    common,
    ending,
    groups_of,
    last,
    last_places,
    windows,
)
from slimderm.components.network_compression.hosvd import Array, Tucker2
from slimderm.components.network_compression.rewrite import Chain

Pair = tuple[int, int]  # ranks of input channels, of output channels


def group_shape(layer: Any) -> tuple[int, int, int]:
    """Return places, inputs and outputs of the kernel of each group of channels."""
    *window, inputs, outputs = layer.kernel.shape
    return math.prod(window), inputs, outputs // groups_of(layer)


def kernels(layer: Any) -> list[Array]:
    """Return the kernel of each group of channels, of shape (places, inputs, outputs)."""
    kernel = np.asarray(keras.ops.convert_to_numpy(layer.kernel), np.float64)
    places = kernel.reshape(-1, *kernel.shape[-2:])
    return np.split(places, groups_of(layer), axis=-1)


def fitted(kernel: Array, parts: Tucker2) -> Tucker2:
    """Leave out the matrices of sides whose rank is full; the core takes them in."""
    first, core, second = parts
    if first is not None and core.shape[1] == kernel.shape[1]:
        core, first = first @ core, None
    if second is not None and core.shape[2] == kernel.shape[2]:
        core, second = core @ second, None
    return Tucker2(first, core, second)


def empty_chain(layer: Any, pair: Pair) -> Chain:
    """Return the layers of some ranks, their weights zero."""
    places, inputs, outputs = group_shape(layer)
    part = Tucker2(
        None if pair[0] == inputs else np.zeros((inputs, pair[0])),
        np.zeros((places, *pair)),
        None if pair[1] == outputs else np.zeros((pair[1], outputs)),
    )
    return to_chain(layer, [part] * groups_of(layer))


def whole_size(layer: Any) -> int:
    """Count the weights of the kernel."""
    return math.prod(layer.kernel.shape)


def size(layer: Any, pair: Pair) -> int:
    """Count the weights of the chain, biases left out."""
    places, inputs, outputs = group_shape(layer)
    first = 0 if pair[0] == inputs else inputs * pair[0]
    second = 0 if pair[1] == outputs else pair[1] * outputs
    one: int = first + places * pair[0] * pair[1] + second
    return groups_of(layer) * one


def sizes(layer: Any, pair: Pair) -> str:
    """Say what becomes of ranks and weights."""
    inputs, outputs = group_shape(layer)[1:]
    return (
        f"ranks ({inputs}, {outputs}) to ({pair[0]}, {pair[1]}), {whole_size(layer):,} weights to "
        f"{size(layer, pair):,}"
    )


def error(layer: Any, parts: list[Tucker2]) -> float:
    """Return what is lost of the kernel, relative, by the Frobenius norm."""
    whole = kernels(layer)
    lost = sum(
        float(((kernel - part.product()) ** 2).sum())
        for kernel, part in zip(whole, parts, strict=True)
    )
    return float(np.sqrt(lost / max(sum(float((kernel**2).sum()) for kernel in whole), 1e-300)))


def to_chain(layer: Any, parts: list[Tucker2]) -> Chain:
    """Return the layers of the parts of each group of a convolution."""
    ones = (1,) * len(layer.kernel_size)
    firsts, cores, lasts = zip(*parts, strict=True)
    core = np.concatenate(cores, axis=-1)
    core = core.reshape(*layer.kernel_size, *core.shape[1:])
    chain: list[Any] = []
    if firsts[0] is not None:
        kernel = np.concatenate(firsts, axis=-1)
        inner = type(layer)(
            kernel.shape[-1],
            ones,
            groups=layer.groups,
            data_format=layer.data_format,
            name=f"{layer.name}_first",
            **common(layer),
        )
        chain.append((inner, [kernel.reshape(*ones, *kernel.shape)]))
    if lasts[0] is None:
        return [*chain, (type(layer).from_config(last(layer)), ending(layer, core))]
    chain.append((windows(layer, core.shape[-1], f"{layer.name}_core"), [core]))
    kernel = np.concatenate(lasts, axis=-1)
    kernel = kernel.reshape(*ones, *kernel.shape)
    return [*chain, (last_places(layer), ending(layer, kernel))]
