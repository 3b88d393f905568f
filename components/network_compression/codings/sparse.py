"""Mostly zeros: how many zeros stand before each other value, and the values, both Huffman coded.

A gap is a symbol of two to eight bits. The largest one stands for that many zeros and no value: a
longer gap is written as several. Zero is no value of the codebook. Han et al. 2016, Deep
Compression, but for the filler, which there carries a value.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import SlimFileError
from slimderm.components.network_compression import bit_kernels, huffman
from slimderm.components.network_compression.bit_kernels import Lengths
from slimderm.components.network_compression.bits import (
    BitReader,
    ByteReader,
    pack_bits,
    varint,
)
from slimderm.components.network_compression.codings import deflate
from slimderm.components.network_compression.codings.base import Bits, exactly, little
from slimderm.components.network_compression.codings.shared import codebook, coded_symbols

WIDTHS = range(2, 9)  # bits of a gap symbol, before it is Huffman coded


@dataclass(frozen=True)
class _Gaps:
    """Gaps between values, for one width of symbol."""

    width: int
    remainders: npt.NDArray[np.int64]  # of each value, by the largest symbol
    skips: npt.NDArray[np.int64]  # how many of the largest symbol stand before it
    lengths: Lengths
    num_bits: int

    def symbols(self) -> npt.NDArray[np.int64]:
        places = np.cumsum(self.skips + 1) - 1
        found = np.full(places[-1] + 1, (1 << self.width) - 1, np.int64)
        found[places] = self.remainders
        return found


def encode(bits: Bits) -> bytes | None:
    """Write the gaps and the values between them, if there are zeros."""
    places = np.flatnonzero(bits)
    values = bits[places]
    if values.size == bits.size:
        return None
    if not values.size:
        return varint(0)
    before = np.diff(places, prepend=-1) - 1
    gaps = min((_gaps(before, width) for width in WIDTHS), key=lambda each: each.num_bits)
    head = [varint(values.size), varint(int(gaps.skips.sum())), varint(gaps.width)]
    head.append(varint(gaps.lengths.size))
    of_gaps = coded_symbols(gaps.symbols(), gaps.lengths)
    unshared = deflate.encode(values)
    found = [b"".join([*head, varint(0), varint(len(unshared)), unshared, pack_bits(*of_gaps)])]
    shared = codebook(values)
    if shared is not None:
        distinct, symbols, lengths = shared
        head += [varint(len(distinct)), little(distinct)]
        found.append(b"".join(head) + pack_bits(*of_gaps, *coded_symbols(symbols, lengths)))
    return min(found, key=len)


def _gaps(before: npt.NDArray[np.int64], width: int) -> _Gaps:
    largest = (1 << width) - 1
    skips, remainders = np.divmod(before, largest)
    counts = np.bincount(remainders, minlength=largest + 1)
    counts[largest] = skips.sum()
    counts = np.trim_zeros(counts, "b")
    lengths = huffman.code_lengths(counts)
    table = int(huffman.encode_lengths(lengths)[1].sum())
    num_bits = table + huffman.bits_needed(counts, lengths)
    return _Gaps(width, remainders, skips, lengths, num_bits)


def decode(data: memoryview, count: int, dtype: np.dtype[Any]) -> Bits:
    """Read gaps and values; all else is zero."""
    reader = ByteReader(data)
    num_values = reader.varint()
    found = np.zeros(count, dtype)
    if num_values:
        _fill(found, reader, num_values)
    if len(reader.rest()):
        raise SlimFileError("received bytes behind the last value, expected none")
    return found


def _fill(found: Bits, reader: ByteReader, num_values: int) -> None:
    skips, width, num_symbols = reader.varint(), reader.varint(), reader.varint()
    num_distinct = reader.varint()
    if width not in WIDTHS or not 0 < num_symbols <= 1 << width:
        raise SlimFileError(f"received gaps of {width} bits and {num_symbols} symbols")
    if num_values + skips > found.size or num_distinct > min(num_values, huffman.MOST_SYMBOLS):
        raise SlimFileError(
            f"received {num_values} values, {num_distinct} of them distinct, and {skips} long gaps "
            f"for a weight of {found.size}"
        )
    size = num_distinct * found.itemsize if num_distinct else reader.varint()
    written = reader.take(size)
    bits = BitReader(reader.rest())
    lengths = huffman.decode_lengths(bits, num_symbols)
    gaps = huffman.decode(bits, num_values + skips, lengths)
    if num_distinct:
        distinct = exactly(written, num_distinct, found.dtype)
        lengths = huffman.decode_lengths(bits, num_distinct)
        values = distinct[huffman.decode(bits, num_values, lengths)]
    else:
        values = deflate.decode(written, num_values, found.dtype)
    bits.finish()
    if bit_kernels.spread(found, gaps, (1 << width) - 1, values) != num_values:
        raise SlimFileError(
            f"received gaps that do not lead to {num_values} of {found.size} places"
        )
