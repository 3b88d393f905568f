"""The loops over bits, compiled by numba. Nothing here checks its input but for running out."""

from typing import Any

import numpy as np
import numpy.typing as npt

from slimderm.components.quality.kernels.compiled import compiled

Bytes = npt.NDArray[np.uint8]
Lengths = npt.NDArray[np.uint8]
Symbols = npt.NDArray[np.uint16]
Ints = npt.NDArray[np.int64]
# fast, then by code length: first code, how many, place of the first in `order`; order
Tables = tuple[npt.NDArray[np.int32], Ints, Ints, Ints, Symbols]

WINDOW_BYTES = 4  # are looked at together, from any bit of the first: 25 bits at least
WINDOW = 25
FAST = 11  # bits that one look-up decodes
MOST_ZEROS = 16  # before the first one of a gamma code


@compiled
def pack(buffer: Bytes, codes: npt.NDArray[np.int32], lengths: Lengths) -> None:
    """Write codes one behind the other into a buffer that is large enough."""
    held, waiting, place = np.int64(0), np.int64(0), 0
    for i in range(codes.size):
        held = (held << np.int64(lengths[i])) | np.int64(codes[i])
        waiting += np.int64(lengths[i])
        while waiting >= 8:
            waiting -= 8
            buffer[place] = (held >> waiting) & 255
            place += 1
        held &= (1 << waiting) - 1
    if waiting:
        buffer[place] = (held << (8 - waiting)) & 255


@compiled
def _window(padded: Bytes, place: int) -> np.int64:
    byte = place >> 3
    four = (
        (np.int64(padded[byte]) << 24)
        | (np.int64(padded[byte + 1]) << 16)
        | (np.int64(padded[byte + 2]) << 8)
        | np.int64(padded[byte + 3])
    )
    return (four >> (7 - (place & 7))) & ((1 << WINDOW) - 1)


@compiled
def unpack(
    padded: Bytes,
    place: int,
    end: int,
    out: Symbols,
    fast: npt.NDArray[np.int32],
    first: Ints,
    counts: Ints,
    starts: Ints,
    order: Symbols,
) -> int:
    """Decode symbols from the bit `place`; return the bit behind the last one, -1 where none is."""
    for i in range(out.size):
        window = _window(padded, place)
        entry = fast[window >> (WINDOW - FAST)]
        length = entry & 31
        if length:
            out[i] = entry >> 5
        else:
            for longer in range(FAST + 1, first.size):
                ahead = (window >> (WINDOW - longer)) - first[longer]
                if 0 <= ahead < counts[longer]:
                    out[i] = order[starts[longer] + ahead]
                    length = longer
                    break
            if length == 0:
                return -1
        place += length
        if place > end:
            return -1
    return place


@compiled
def unpack_gammas(padded: Bytes, place: int, end: int, out: Ints) -> int:
    """Decode numbers from the bit `place`; return the bit behind the last one, -1 where none is."""
    for i in range(out.size):
        zeros = 0
        while place < end and not (padded[place >> 3] >> (7 - (place & 7))) & 1:
            zeros += 1
            place += 1
        if zeros > MOST_ZEROS or place + zeros + 1 > end:
            return -1
        value = 0
        for _ in range(zeros + 1):
            value = (value << 1) | ((padded[place >> 3] >> (7 - (place & 7))) & 1)
            place += 1
        out[i] = value
    return place


@compiled
def spread(found: npt.NDArray[Any], gaps: Symbols, largest: int, values: npt.NDArray[Any]) -> int:
    """Put values behind so many zeros each; return how many, -1 where they find no place."""
    place, done = np.int64(0), 0
    for i in range(gaps.size):
        gap = np.int64(gaps[i])
        place += gap
        if gap != largest:
            if place >= found.size or done >= values.size:
                return -1
            found[place] = values[done]
            place += 1
            done += 1
    return done
