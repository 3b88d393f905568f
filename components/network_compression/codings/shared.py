"""Shared values: the distinct ones once, then a Huffman code of which one stands where.

Two values take one bit each, as equal lengths are packed bits. Han et al. 2016, Deep Compression.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import SlimFileError
from slimderm.components.network_compression import huffman
from slimderm.components.network_compression.bit_kernels import Lengths
from slimderm.components.network_compression.bits import (
    BitReader,
    ByteReader,
    Codes,
    pack_bits,
    varint,
)
from slimderm.components.network_compression.codings.base import Bits, exactly, little

SAMPLE = 2 * huffman.MOST_SYMBOLS  # values that tell whether it is worth sorting all


def encode(bits: Bits) -> bytes | None:
    """Write how many distinct values there are, these, the code's table, and the code words."""
    found = codebook(bits)
    if found is None or not bits.size:
        return None
    values, symbols, lengths = found
    coded = pack_bits(*coded_symbols(symbols, lengths))
    return varint(len(values)) + little(values) + coded


def decode(data: memoryview, count: int, dtype: np.dtype[Any]) -> Bits:
    """Read the distinct values and put each in its places."""
    reader = ByteReader(data)
    num_values = reader.varint()
    if not 0 < num_values <= min(huffman.MOST_SYMBOLS, count):
        raise SlimFileError(f"received {num_values} distinct values for a weight of {count}")
    values = exactly(reader.take(num_values * dtype.itemsize), num_values, dtype)
    bits = BitReader(reader.rest())
    lengths = huffman.decode_lengths(bits, num_values)
    found = values[huffman.decode(bits, count, lengths)]
    bits.finish()
    return found


def codebook(bits: Bits) -> tuple[Bits, npt.NDArray[np.intp], Lengths] | None:
    """Find the distinct values, the most frequent first, where each stands, and a code for them.

    None where there are too many. By this order the code's table is nearly free.
    """
    for part in (bits[:SAMPLE], bits):
        values = np.unique(part)
        if len(values) > huffman.MOST_SYMBOLS:
            return None
    symbols = np.searchsorted(values, bits)  # much faster than np.unique's own inverse
    counts = np.bincount(symbols, minlength=len(values))
    order = np.argsort(-counts, kind="stable")
    rank = np.empty(len(order), np.intp)
    rank[order] = np.arange(len(order))
    return values[order], rank[symbols], huffman.code_lengths(counts[order])


def coded_symbols(symbols: npt.NDArray[np.integer], lengths: Lengths) -> list[Codes]:
    """Write a code's table and the code words of all symbols."""
    return [huffman.encode_lengths(lengths), huffman.encode(symbols, lengths)]
