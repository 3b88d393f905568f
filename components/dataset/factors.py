"""A file that holds an image as quantised singular values and vectors, and how it is read.

It stands here and not beside the encoder (`slimderm.components.compression.codecs.factors`)
because whoever reads images must be able to read it. All numbers are little-endian::

    8 bytes   "SLIMSVD1"
    3 uint32  height H, width W, rank k
    float32   step of the quantiser
    uint32    CRC-32 of all that follows
    3k float32  singular values, channel by channel, descending
    blocks    uint32 length and a pcodec stream of int32 each: per channel and group of
              components, first the factors along the shorter side, then along the longer
"""

from __future__ import annotations

import math
import struct
import zlib
from typing import TYPE_CHECKING

from slimderm.components.common.errors import ImageError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MAGIC = b"SLIMSVD1"
HEAD = struct.Struct("<8sIIIfI")
LENGTH = struct.Struct("<I")
PCODEC = b"pco!\x03\x03"  # mark, version of the format, and that all numbers are int32
COUNT = slice(6, 16)  # the bytes of a stream that hold its count of numbers
GROUP = 16  # components that share a stream: their numbers are of one size


def read_header(data: bytes) -> tuple[int, int, int, float]:
    """Give height, width, rank and step of a file of factors.

    Raises
    ------
    ImageError
        If the bytes are none, or its numbers contradict each other.
    """
    if len(data) < HEAD.size or not data.startswith(MAGIC):
        raise ImageError("not a file of factors: expected SLIMSVD1 at its start")
    _, height, width, rank, step, _ = HEAD.unpack_from(data)
    if not (1 <= rank <= min(height, width) and 0 < step < math.inf):
        raise ImageError(
            f"unreadable: received {height}x{width} pixels, rank {rank} and step {step}, expected "
            "a rank in 1..the shorter side and a positive step"
        )
    return height, width, rank, step


def read_size(data: bytes) -> tuple[int, int]:
    """Give height and width in pixels; raises as `read_header`."""
    height, width, _, _ = read_header(data)
    return height, width


def unpack(data: bytes) -> npt.NDArray[np.uint8]:
    """Rebuild the image from a file of factors.

    Returns
    -------
    uint8 array of shape (H, W, 3)

    Raises
    ------
    ImageError
        If the bytes are no such file, fail its checksum, or hold something else than it says.
    """
    import numpy as np

    header = read_header(data)
    if zlib.crc32(data[HEAD.size :]) != HEAD.unpack_from(data)[-1]:
        raise ImageError("truncated or damaged: the file of factors fails its checksum")
    try:
        image = _rebuild(data, *header)
    except (ValueError, struct.error, RuntimeError) as error:  # RuntimeError: pcodec's own
        raise ImageError(f"unreadable: the file of factors holds no factors ({error})") from error
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _rebuild(
    data: bytes, height: int, width: int, rank: int, step: float
) -> npt.NDArray[np.float64]:
    import numpy as np

    sides = min(height, width), max(height, width)
    end = HEAD.size + 12 * rank
    values = np.frombuffer(data[HEAD.size : end], "<f4")
    if not np.isfinite(values).all():
        raise ValueError("singular values that are no numbers")
    channels = []
    for own in values.reshape(3, rank).astype(np.float64):
        factors = []
        for side in sides:
            parts = []
            for first in range(0, rank, GROUP):
                shape = (min(GROUP, rank - first), side)
                part, end = _stream(data, end, shape)
                parts.append(part)
            factors.append(np.concatenate(parts) * step)  # (k, side)
        scale = np.divide(1, own, out=np.zeros_like(own), where=own > 0)
        channels.append((factors[0].T * scale) @ factors[1])  # (R, L)
    stacked = np.stack(channels)
    tall = height > width
    return stacked.transpose(2, 1, 0) if tall else stacked.transpose(1, 2, 0)


def _count(stream: bytes) -> int | None:
    """Read how many numbers a pcodec stream says that it holds; None where it is no such stream.

    After the mark come six bits, one less than the number of bits of the count, and the count.
    """
    if len(stream) < COUNT.stop or not stream.startswith(PCODEC):
        return None
    bits = int.from_bytes(stream[COUNT], "little")
    return (bits >> 6) & ((2 << (bits & 63)) - 1)


def _stream(data: bytes, start: int, shape: tuple[int, int]) -> tuple[npt.NDArray[np.float64], int]:
    import imagecodecs
    import numpy as np

    begin = start + LENGTH.size
    end = begin + LENGTH.unpack_from(data, start)[0]
    stream = data[begin:end]
    numbers = np.empty(shape, np.int32)
    # pcodec makes room for as many numbers as a stream says, and ends the process if it cannot.
    if end > len(data) or _count(stream) != numbers.size:
        raise ValueError(f"the stream does not hold {numbers.size} numbers")
    imagecodecs.pcodec_decode(stream, out=numbers)
    return numbers.astype(np.float64), end
