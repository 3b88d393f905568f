"""Whole numbers as bytes and as bits: what the codings of a `.slim` file are made of."""

import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import SlimFileError
from slimderm.components.network_compression import bit_kernels
from slimderm.components.network_compression.bit_kernels import Lengths, Symbols

Codes = tuple[npt.NDArray[np.int32], Lengths]  # what is to be written, each in so many bits
MOST_VARINT_BYTES = 9


def varint(value: int) -> bytes:
    """Write a whole number from 0, seven bits a byte, lowest first; the top bit says: more."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


class ByteReader:
    """Reads bytes from the front; what is not there is a damaged file."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._left = memoryview(data)

    def take(self, count: int) -> memoryview:
        """Return the next bytes."""
        if count > len(self._left):
            raise SlimFileError(
                f"received {len(self._left)} bytes where {count} should follow, expected a whole "
                "file"
            )
        found, self._left = self._left[:count], self._left[count:]
        return found

    def varint(self) -> int:
        """Return the next whole number."""
        value = 0
        for place in range(MOST_VARINT_BYTES):
            byte = self.take(1)[0]
            value |= (byte & 127) << (7 * place)
            if byte < 128:
                return value
        raise SlimFileError(f"received a number of more than {MOST_VARINT_BYTES} bytes")

    def rest(self) -> memoryview:
        """Return all that is left."""
        return self.take(len(self._left))


def pack_bits(*parts: Codes) -> bytes:
    """Write codes one behind the other, highest bit first; zeros fill the last byte."""
    codes = np.concatenate([codes for codes, _ in parts])
    lengths = np.concatenate([lengths for _, lengths in parts])
    buffer = np.zeros(-(-int(lengths.sum(dtype=np.int64)) // 8), np.uint8)
    bit_kernels.pack(buffer, codes, lengths)
    return buffer.tobytes()


def gammas(values: npt.NDArray[np.int64]) -> Codes:
    """Write whole numbers from 1 as Elias's gamma codes: n zeros, then the n + 1 bits of it."""
    widths = np.frexp(values.astype(np.float64))[1]
    return values.astype(np.int32), (2 * widths - 1).astype(np.uint8)


class BitReader:
    """Reads what `pack_bits` wrote."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._bits = 8 * len(data)
        self._padded = np.frombuffer(bytes(data) + bytes(bit_kernels.WINDOW_BYTES), np.uint8)
        self._place = 0

    def gammas(self, count: int) -> npt.NDArray[np.int64]:
        """Return the next numbers that were written as gamma codes."""
        out = np.empty(count, np.int64)
        self._move(bit_kernels.unpack_gammas(self._padded, self._place, self._bits, out))
        return out

    def symbols(self, count: int, tables: bit_kernels.Tables) -> Symbols:
        """Return the next symbols of a Huffman code."""
        out = np.empty(count, np.uint16)
        self._move(bit_kernels.unpack(self._padded, self._place, self._bits, out, *tables))
        return out

    def finish(self) -> None:
        """Check that nothing is left but the zeros that fill the last byte."""
        left = self._bits - self._place
        last = int(self._padded[self._place // 8]) << (self._place % 8) & 255
        if left > 7 or (left and last):
            raise SlimFileError(f"received {left} bits behind the last code, expected none")

    def _move(self, place: int) -> None:
        if place < 0:
            raise SlimFileError("received bits that are no code of the table, or too few of them")
        self._place = place
