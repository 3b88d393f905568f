"""Magnitudes that repeat, and the sign of each value: binary weights with a scale a filter.

A kernel's last axis counts its filters, so their scales repeat along the values.
"""

import math
from typing import Any

import numpy as np

from slimderm.components.common.errors import SlimFileError
from slimderm.components.network_compression.bits import ByteReader, varint
from slimderm.components.network_compression.codings import deflate
from slimderm.components.network_compression.codings.base import Bits


def encode(bits: Bits) -> bytes | None:
    """Write how many magnitudes repeat, these as byte planes, and the top bit of every value."""
    top = _top(bits.dtype)
    magnitudes = bits & ~top
    period = _period(magnitudes)
    if period is None:
        return None
    written = deflate.encode(magnitudes[:period])
    signs = np.packbits((bits & top) != 0).tobytes()
    return varint(period) + varint(len(written)) + written + signs


def decode(data: memoryview, count: int, dtype: np.dtype[Any]) -> Bits:
    """Repeat the magnitudes and put the signs in."""
    reader = ByteReader(data)
    period = reader.varint()
    if not 0 < period <= count or count % period:
        raise SlimFileError(f"received {period} magnitudes for a weight of {count}")
    magnitudes = deflate.decode(reader.take(reader.varint()), period, dtype)
    signs = np.frombuffer(reader.take(-(-count // 8)), np.uint8)
    if len(reader.rest()) or np.unpackbits(signs)[count:].any():
        raise SlimFileError("received bits behind the last sign, expected none")
    negative = np.unpackbits(signs, count=count).astype(bool)
    values: Bits = np.tile(magnitudes, count // period)
    values[negative] |= _top(dtype)
    return values


def _top(dtype: np.dtype[Any]) -> Any:
    return dtype.type(1 << (8 * dtype.itemsize - 1))


def _period(magnitudes: Bits) -> int | None:
    """Return after how many values they repeat, if at least twice, None where they do not."""
    count = magnitudes.size
    small = [number for number in range(1, math.isqrt(count) + 1) if count % number == 0]
    for period in sorted({*small, *(count // number for number in small)} - {count}):
        first, second = magnitudes[:period], magnitudes[period : 2 * period]
        if (first == second).all() and (magnitudes[period:] == magnitudes[:-period]).all():
            return period
    return None
