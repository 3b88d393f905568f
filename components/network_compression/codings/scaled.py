"""Whole numbers times a scale a channel: kernels on a grid of two to eight bits.

The numbers are bytes, and are written by whichever other coding is smallest. Values are float32.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import SlimFileError
from slimderm.components.network_compression.bits import ByteReader, varint
from slimderm.components.network_compression.codings.base import (
    Bits,
    Coding,
    exactly,
    little,
    numbered,
    smallest_of,
)

MOST = [2 ** (bits - 1) - 1 for bits in range(2, 9)]  # the largest whole number of a grid
Floats = npt.NDArray[np.float32]


def over(number: int, codings: Mapping[str, Coding]) -> Coding:
    """Return the coding; whole numbers are written by one of others."""

    def encode(bits: Bits) -> bytes | None:
        found = on_grid(bits) if bits.ndim == 2 and bits.dtype == np.uint32 else None
        if found is None:
            return None
        numbers, scales = found
        name, written = smallest_of(numbers.view(np.uint8), codings)
        head = varint(len(scales)) + little(scales.view(np.uint32))
        return head + varint(codings[name].number) + written

    def decode(data: memoryview, count: int, dtype: np.dtype[Any]) -> Bits:
        reader = ByteReader(data)
        channels = reader.varint()
        if dtype.itemsize != 4 or not 0 < channels <= count or count % channels:
            raise SlimFileError(
                f"received {channels} scales for {count} values of {dtype.itemsize} bytes each"
            )
        scales = exactly(reader.take(4 * channels), channels, np.dtype("u4")).view(np.float32)
        if not _usable(scales):
            raise SlimFileError("received a scale that is no normal number above 0, or a huge one")
        inner = codings[numbered(reader.varint(), codings)]
        numbers = inner.decode(reader.rest(), count, np.dtype("u1")).view(np.int8)
        values = numbers.reshape(-1, channels).astype(np.float32)
        values *= scales
        return values.reshape(-1).view(np.uint32).astype(dtype, copy=False)

    return Coding(number, encode, decode, by_channel=True)


_LARGEST = np.finfo(np.float32).max / 128  # times any whole number it is finite


def _usable(scales: Floats) -> bool:
    """Tell whether all products are finite and normal: some machines take others for zero."""
    return bool(((scales >= np.finfo(np.float32).tiny) & (scales <= _LARGEST)).all())


def on_grid(bits: Bits) -> tuple[npt.NDArray[np.int8], Floats] | None:
    """Find whole numbers and a scale a channel whose products are these values, bit for bit.

    Parameters
    ----------
    bits : uint32 array of shape (n, C)
        The values, float32, a channel a column.

    Returns
    -------
    int8 array of shape (n, C), float32 array of shape (C,)
        None where there are none whose largest is that of a grid.
    """
    values = bits.view(np.float32)
    with np.errstate(all="ignore"):
        largest = np.abs(values).max(axis=0, initial=0)
        some = largest > 0
        if not some.any() or not np.isfinite(largest).all():
            return None
        first = slice(int(some.argmax()), int(some.argmax()) + 1)  # tells quickly of most kernels
        for most in MOST:
            if _scaled(values[:, first], largest[first], most) is not None:
                found = _scaled(values, largest, most)
                if found is not None:
                    return found
    return None


def _scaled(
    values: Floats, largest: Floats, most: int
) -> tuple[npt.NDArray[np.int8], Floats] | None:
    """Try one grid: what was rounded to most · scale may have its scale one bit beside."""
    middle = np.where(largest > 0, largest, 1).astype(np.float32) / np.float32(most)
    numbers = np.zeros(values.shape, np.int8)
    scales = np.zeros_like(middle)
    for scale in (middle, np.nextafter(middle, np.float32(0)), np.nextafter(middle, _LARGEST)):
        left = np.flatnonzero(scales == 0)
        found = np.rint(values[:, left] / scale[left]).astype(np.int8)
        fits = found.astype(np.float32) * scale[left]
        right = (fits.view(np.uint32) == values[:, left].view(np.uint32)).all(axis=0)
        scales[left[right]] = scale[left[right]]
        numbers[:, left[right]] = found[:, right]
    return (numbers, scales) if _usable(scales) else None
