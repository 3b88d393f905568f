"""Canonical Huffman codes of bounded length.

A code is known by the lengths of its code words alone: words of a length are given out in the order
of the symbols, shorter lengths first (as in Deflate, RFC 1951, 3.2.2). The lengths are the best
under the bound: package-merge, Larmore and Hirschberg 1990. A single symbol takes no bits.
"""

import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import SlimFileError
from slimderm.components.network_compression.bit_kernels import FAST, Ints, Lengths, Symbols, Tables
from slimderm.components.network_compression.bits import BitReader, Codes, gammas

LONGEST = 24  # bits of a code word
MOST_SYMBOLS = 1 << 16
_FIRST_GUESS = 4  # of a length, from which the first one is counted
_UNUSED = 4  # what is written for a symbol without a code word


def code_lengths(counts: npt.ArrayLike, longest: int = LONGEST) -> Lengths:
    """Find the lengths of the best code words.

    Parameters
    ----------
    counts : int array of shape (num_symbols,)
        How often each symbol comes, from 0.
    longest : int
        The most bits that a code word may have; 2 to this power is at least the number of symbols.

    Returns
    -------
    uint8 array of shape (num_symbols,)
        0 for a symbol that never comes, and 1 for one that is alone.
    """
    weights = np.asarray(counts, np.int64)
    lengths = np.zeros(weights.size, np.uint8)
    used = np.flatnonzero(weights)
    used = used[np.argsort(weights[used], kind="stable")]
    if used.size < 2:
        lengths[used] = 1
        return lengths
    leaves = weights[used]
    merged, is_leaf = leaves, [np.ones(leaves.size, bool)]
    for _ in range(min(longest, used.size - 1) - 1):
        pairs = merged.size // 2
        packages = merged[: 2 * pairs].reshape(pairs, 2).sum(1)
        both = np.concatenate([leaves, packages])
        order = np.argsort(both, kind="stable")  # leaves first: so the longest word is short
        merged = both[order]
        is_leaf.append(order < leaves.size)
    taken = 2 * leaves.size - 2
    for level in reversed(is_leaf):
        num_leaves = int(level[:taken].sum())
        lengths[used[:num_leaves]] += 1
        taken = 2 * (taken - num_leaves)
    return lengths


def bits_needed(counts: npt.ArrayLike, lengths: Lengths) -> int:
    """Return how many bits all symbols take together."""
    return 0 if _alone(lengths) else int(np.dot(np.asarray(counts, np.int64), lengths))


def encode(symbols: npt.NDArray[np.integer], lengths: Lengths) -> Codes:
    """Turn symbols into code words and their lengths, for `pack_bits`."""
    if _alone(lengths):
        return np.empty(0, np.int32), np.empty(0, np.uint8)
    return _code_words(lengths)[symbols], lengths[symbols]


def decode(reader: BitReader, count: int, lengths: Lengths) -> Symbols:
    """Read symbols back.

    Raises
    ------
    SlimFileError
        For lengths that are of no whole code, and bits that are no code word.
    """
    used = np.flatnonzero(lengths)
    if count == 0:
        return np.empty(0, np.uint16)
    if _alone(lengths):
        return np.full(count, used[0], np.uint16)
    return reader.symbols(count, _tables(lengths))


def _alone(lengths: Lengths) -> bool:
    return int(np.count_nonzero(lengths)) == 1


def _canonical(lengths: Lengths) -> tuple[Ints, Ints, Ints, Symbols]:
    """Return, by length, the first word, how many there are, where they start; and the symbols."""
    counts = np.bincount(lengths, minlength=LONGEST + 1).astype(np.int64)
    counts[0] = 0
    first = np.zeros(LONGEST + 1, np.int64)
    for length in range(1, LONGEST + 1):
        first[length] = (first[length - 1] + counts[length - 1]) << 1
    order = np.argsort(lengths, kind="stable")[lengths.size - int(counts.sum()) :]
    return first, counts, np.cumsum(counts) - counts, order.astype(np.uint16)


def _code_words(lengths: Lengths) -> npt.NDArray[np.int32]:
    first, _, starts, order = _canonical(lengths)
    words = np.zeros(lengths.size, np.int32)
    sorted_lengths = lengths[order]
    words[order] = first[sorted_lengths] + np.arange(order.size) - starts[sorted_lengths]
    return words


def _tables(lengths: Lengths) -> Tables:
    first, counts, starts, order = _canonical(lengths)
    whole = 1 << LONGEST
    if int((counts << (LONGEST - np.arange(LONGEST + 1))).sum()) != whole:
        raise SlimFileError("received lengths of code words that make no whole Huffman code")
    short = order[lengths[order] <= FAST]
    entries = (short.astype(np.int32) << 5) | lengths[short]
    fast = np.repeat(entries, 1 << (FAST - lengths[short].astype(np.int64)))
    padded = np.zeros(1 << FAST, np.int32)  # where 0 stands, the word is longer
    padded[: fast.size] = fast
    return padded, first, counts, starts, order


def encode_lengths(lengths: Lengths) -> Codes:
    """Write the table of a code: how each length differs from the last one, as gamma codes.

    1 says the same, 2 one more, 3 one less, 4 a symbol without a code word, then 5 two more, 6 two
    less, and so on.
    """
    used = lengths > 0
    known = lengths[used].astype(np.int64)
    change = np.diff(known, prepend=_FIRST_GUESS)
    written = np.where(change > 0, 2 * change, 1 - 2 * change)
    values = np.full(lengths.size, _UNUSED, np.int64)
    values[used] = np.where(written < _UNUSED, written, written + 1)
    return gammas(values)


def decode_lengths(reader: BitReader, count: int) -> Lengths:
    """Read the table of a code.

    Raises
    ------
    SlimFileError
        For a length that no code word has.
    """
    values = reader.gammas(count)
    used = values != _UNUSED
    written = values[used] - (values[used] > _UNUSED)
    change = np.where(written % 2 == 0, written // 2, -(written // 2))
    known = _FIRST_GUESS + np.cumsum(change)
    if known.size and not (known.min() >= 1 and known.max() <= LONGEST):
        raise SlimFileError(f"received a code word's length outside 1 to {LONGEST}")
    lengths = np.zeros(count, np.uint8)
    lengths[used] = known
    return lengths
