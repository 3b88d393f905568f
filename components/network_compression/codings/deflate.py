"""Byte planes: first the lowest byte of every value, then the next; each by Deflate or as it is.

The planes of a float32 weight that hold its mantissa are noise and stay as they are; sign and
exponent pack well.
"""

import zlib
from typing import Any

import numpy as np

from slimderm.components.common.errors import SlimFileError
from slimderm.components.network_compression.bits import ByteReader, varint
from slimderm.components.network_compression.codings.base import Bits, little

LEVEL = 6  # 9 takes three times as long for a hundredth less
NO_HEADER = -15  # zlib's word for a bare Deflate stream with a window of 32 KiB


def encode(bits: Bits) -> bytes:
    """Write each plane: its length, then its bytes; as many as there are values say: as it is."""
    planes = np.frombuffer(little(bits), np.uint8).reshape(bits.size, bits.itemsize).T
    return b"".join(_pack(plane.tobytes()) for plane in planes)


def decode(data: memoryview, count: int, dtype: np.dtype[Any]) -> Bits:
    """Read the planes and put them together."""
    reader = ByteReader(data)
    planes = np.empty((count, dtype.itemsize), np.uint8)
    for place in range(dtype.itemsize):
        packed = reader.take(reader.varint())
        plane = packed if len(packed) == count else inflated(packed, count)
        planes[:, place] = np.frombuffer(plane, np.uint8)
    if len(reader.rest()):
        raise SlimFileError("received bytes behind the last plane, expected none")
    return planes.view(dtype.newbyteorder("<")).reshape(count).astype(dtype, copy=False)


def _pack(plane: bytes) -> bytes:
    packed = deflated(plane)
    if len(packed) >= len(plane):
        packed = plane
    return varint(len(packed)) + packed


def deflated(data: bytes, level: int = LEVEL, dictionary: bytes = b"") -> bytes:
    """Pack bytes by Deflate without header; the dictionary is as if it stood before them."""
    packer = zlib.compressobj(
        level, zlib.DEFLATED, NO_HEADER, zlib.DEF_MEM_LEVEL, zlib.Z_DEFAULT_STRATEGY, dictionary
    )
    return packer.compress(data) + packer.flush()


def inflated(packed: memoryview, count: int, dictionary: bytes = b"") -> bytes:
    """Unpack so many bytes, and never more than one beyond.

    Raises
    ------
    SlimFileError
        If there are more or fewer, or what is packed is damaged.
    """
    unpacker = zlib.decompressobj(NO_HEADER, dictionary)
    try:
        data = unpacker.decompress(packed, count + 1)
    except zlib.error as error:
        raise SlimFileError(f"received packed bytes that do not unpack ({error})") from error
    if len(data) != count or not unpacker.eof or unpacker.unused_data:
        raise SlimFileError(f"received packed bytes that do not unpack to {count} bytes")
    return data
