"""Random numbers that any process on any machine has again: part of a file format.

Philox4x64-10 is a function of a counter, so that a number far down the stream costs as much as the
first. Nothing here is a floating-point computation whose last bit a library may change: a normal is
a multiple of 2⁻¹⁰ from a table whose checksum is held, and its product with a float16 scale has at
most 24 significant bits, so a float32 holds it exactly.

Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

import zlib
from enum import IntEnum
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from slimderm.components.common.errors import SlimDermError

WORDS = 4  # of 64 bits, that one counter gives
NORMALS = 4 * WORDS  # that one counter gives, 16 bits each
LEVELS = 1 << 16
GRID = 1024  # a normal is so many parts of one
TABLE_CHECKSUM = 0x4F18D503  # of the integers that `normals` divides, as little-endian int16
_COUNTERS = 1 << 256

Normals = npt.NDArray[np.float32]


class Purpose(IntEnum):
    """What a stream is for: the second word of its key."""

    SAMPLES = 0
    PERMUTATION = 1
    SIGNS = 2


class Stream:
    """The words of Philox for one key, from any place."""

    def __init__(self, seed: int, purpose: Purpose) -> None:
        key = np.array([seed, purpose], np.uint64)
        # NumPy adds one to the counter before it uses it.
        self._philox = np.random.Philox(counter=_COUNTERS - 1, key=key)
        self._place = 0

    def words(self, first: int, counters: int) -> npt.NDArray[np.uint64]:
        """Return the words of so many counters from a first one on."""
        self._philox.advance((first - self._place) % _COUNTERS)
        self._place = first + counters
        found: npt.NDArray[np.uint64] = self._philox.random_raw(WORDS * counters)
        return found

    def normals(self, first: int, counters: int) -> Normals:
        """Return standard normals, `NORMALS` a counter; the lowest 16 bits of a word come first."""
        lanes = self.words(first, counters).astype("<u8").view("<u2")
        found: Normals = table()[lanes]
        return found


def permutation(seed: int, count: int) -> npt.NDArray[np.intp]:
    """Return the numbers from 0 in the order of their random words, equal words as they stand."""
    words = Stream(seed, Purpose.PERMUTATION).words(0, -(-count // WORDS))[:count]
    return np.argsort(words, kind="stable")


def signs(seed: int, start: int, count: int) -> Normals:
    """Return +1 or -1 for weights from a place on: one bit each, the lowest of a word first."""
    bits = 64 * WORDS
    first = start // bits
    words = Stream(seed, Purpose.SIGNS).words(first, -(-(start + count) // bits) - first)
    drawn = np.unpackbits(words.astype("<u8").view(np.uint8), bitorder="little")
    chosen = drawn[start - first * bits :][:count]
    return np.float32(1) - 2 * chosen.astype(np.float32)


@cache
def table() -> npt.NDArray[Any]:
    """Return the normal of each 16-bit number k: the quantile of (k + ½) / 2¹⁶, rounded to 2⁻¹⁰.

    Raises
    ------
    SlimDermError
        If the quantiles of this machine are others.
    """
    half = np.rint(GRID * ndtri((np.arange(LEVELS // 2) + 0.5) / LEVELS)).astype("<i2")
    whole = np.concatenate([half, -half[::-1]])
    found = zlib.crc32(whole.tobytes())
    if found != TABLE_CHECKSUM:
        raise SlimDermError(
            f"scipy.special.ndtri: received quantiles whose table has the checksum {found:08X}, "
            f"expected {TABLE_CHECKSUM:08X}; random codes cannot be read with this SciPy"
        )
    return (whole / np.float32(GRID)).astype(np.float32)
