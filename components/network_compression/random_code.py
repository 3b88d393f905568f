"""A network as numbers of random samples: the weights that a few bits a block stand for.

All coded weights of a network are put into blocks by a seeded permutation. A block's code is the
number of a sample of standard normals, of 2ᵇⁱᵗˢ that anybody can draw again; a weight is its normal
times the scale of its kernel or bias. Weights of a kernel may share one normal, times ±1 (hashing).

Havasi et al., "Minimal Random Code Learning", arXiv:1810.00440; Chen et al., "Compressing Neural
Networks with the Hashing Trick", arXiv:1504.04788.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slimderm.components.network_compression.random_words import (
    NORMALS,
    Normals,
    Purpose,
    Stream,
    permutation,
    signs,
)

MOST_BITS = 20  # of a block; to code one, 2ᵇⁱᵗˢ samples are drawn
MOST_BLOCKS = 1 << 20  # with the next, what bounds time and memory of reading
MOST_NORMALS = 1 << 24


@dataclass(frozen=True)
class Part:
    """A coded kernel or bias.

    Attributes
    ----------
    size : int
        How many weights it has.
    group : int
        How many weights, one behind the other in C order, share a normal, each times ±1.
    """

    size: int
    group: int = 1

    @property
    def num_normals(self) -> int:
        """How many normals its weights are made of."""
        return -(-self.size // self.group)


@dataclass(frozen=True)
class RandomCode:
    """What a file holds of coded weights.

    Attributes
    ----------
    seed : int
        From 0 to 2⁶³ - 1.
    bits : int
        Of a block, 1 to `MOST_BITS`.
    indices : tuple of int
        For each block the number of its sample.
    groups : mapping
        Path of a kernel or bias, such as ``dense1/kernel``, to `Part.group`, in the order of the
        model's weights.
    scales : mapping
        The same paths to the standard deviation of the prior, a float16's value.
    """

    seed: int
    bits: int
    indices: tuple[int, ...]
    groups: Mapping[str, int]
    scales: Mapping[str, float]


class Blocks:
    """Which normals lie in which block, and where.

    Attributes
    ----------
    block, column : arrays of shape (num_normals,)
        Of each normal, in the order of the weights.
    """

    def __init__(self, seed: int, bits: int, num_normals: int, num_blocks: int) -> None:
        order = permutation(seed, num_normals)
        self.block, self.column = order % num_blocks, order // num_blocks
        self.num_blocks, self.bits = num_blocks, bits
        self._by_column = np.argsort(order)
        self._counters = math.ceil(-(-num_normals // num_blocks) / NORMALS)  # of one sample
        self._stream = Stream(seed, Purpose.SAMPLES)

    def members(self, block: int) -> npt.NDArray[np.intp]:
        """Return the numbers of a block's normals, in the order of their columns."""
        return self._by_column[block :: self.num_blocks]

    def samples(self, block: int, first: int, count: int) -> Normals:
        """Return so many samples of a block from a first one on, of shape (count, columns)."""
        place = ((block << self.bits) + first) * self._counters
        drawn = self._stream.normals(place, count * self._counters)
        return drawn.reshape(count, -1)

    def chosen(self, indices: Sequence[int]) -> Normals:
        """Return the normals, in the order of the weights, of one sample for each block."""
        found = np.empty((self.num_blocks, self._counters * NORMALS), np.float32)
        for block, index in enumerate(indices):
            found[block] = self.samples(block, index, 1)
        return found[self.block, self.column]


def decode(code: RandomCode, sizes: Mapping[str, int]) -> dict[str, Normals]:
    """Return the weights that a code stands for.

    Parameters
    ----------
    code : RandomCode
    sizes : mapping
        Each of the code's paths to how many weights it has.

    Returns
    -------
    dict
        Path to a flat float32 array.
    """
    parts = {path: Part(sizes[path], group) for path, group in code.groups.items()}
    num_normals = sum(part.num_normals for part in parts.values())
    normals = Blocks(code.seed, code.bits, num_normals, len(code.indices)).chosen(code.indices)
    ends = np.cumsum([part.num_normals for part in parts.values()])[:-1]
    found = {}
    for (path, part), own, by in zip(
        parts.items(), np.split(normals, ends), signs_of(code.seed, parts), strict=True
    ):
        found[path] = spread(np.float32(code.scales[path]) * own, part, by)
    return found


def signs_of(seed: int, parts: Mapping[str, Part]) -> list[Normals | None]:
    """Return the signs of each part's weights, None where each has a normal of its own."""
    found: list[Normals | None] = []
    start = 0
    for part in parts.values():
        found.append(signs(seed, start, part.size) if part.group > 1 else None)
        start += part.size
    return found


def spread(values: npt.NDArray[Any], part: Part, by: Normals | None) -> npt.NDArray[Any]:
    """Return the weights of a part, flat, of a value for each of its normals."""
    return values if by is None else np.repeat(values, part.group)[: part.size] * by
