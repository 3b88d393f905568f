"""Huffman codes: against a textbook construction, and what the theory says of any such code."""

import heapq

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimderm.components.common.errors import SlimFileError
from slimderm.components.network_compression import huffman
from slimderm.components.network_compression.bits import (
    BitReader,
    ByteReader,
    gammas,
    pack_bits,
    varint,
)

counts_of_symbols = st.lists(st.integers(0, 1000), min_size=1, max_size=60)


def textbook(counts):
    """The total length: every merge of the two rarest costs one bit for each symbol below it."""
    heap = [count for count in counts if count]
    heapq.heapify(heap)
    total = 0
    while len(heap) > 1:
        both = heapq.heappop(heap) + heapq.heappop(heap)
        total += both
        heapq.heappush(heap, both)
    return total


def entropy(counts):
    shares = np.array([count for count in counts if count]) / sum(counts)
    return float(-(shares * np.log2(shares)).sum())


@settings(max_examples=200, deadline=None)
@given(counts_of_symbols.filter(any))
def test_lengths_are_as_short_as_a_textbook_makes_them(counts):
    lengths = huffman.code_lengths(counts)
    total = huffman.bits_needed(counts, lengths)
    assert total == textbook(counts)
    assert entropy(counts) - 1e-9 <= total / sum(counts) < entropy(counts) + 1
    assert [length > 0 for length in lengths] == [count > 0 for count in counts]
    if sum(count > 0 for count in counts) > 1:
        assert sum(2.0 ** -int(length) for length in lengths if length) == 1  # Kraft


def test_a_bound_on_the_length_holds_and_costs_little():
    fibonacci = [1, 1]
    while len(fibonacci) < 40:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    lengths = huffman.code_lengths(fibonacci)
    assert lengths.max() == huffman.LONGEST < 39
    assert sum(2.0 ** -int(length) for length in lengths) == 1
    free = huffman.code_lengths(fibonacci, longest=60)
    assert free.max() == 39
    assert int(np.dot(fibonacci, free.astype(int))) == textbook(fibonacci)
    assert (
        textbook(fibonacci) < np.dot(fibonacci, lengths.astype(int)) < 1.001 * textbook(fibonacci)
    )


def test_lengths_bounded_to_three_bits_are_the_best_of_all():
    counts = [1, 1, 2, 4, 9]
    lengths = huffman.code_lengths(counts, longest=3)
    candidates = [
        found
        for found in np.ndindex(3, 3, 3, 3, 3)
        if sum(2.0 ** -(length + 1) for length in found) <= 1
    ]
    best = min(int(np.dot(counts, np.array(found) + 1)) for found in candidates)
    assert int(np.dot(counts, lengths)) == best


@settings(max_examples=100, deadline=None)
@given(counts_of_symbols.filter(any), st.integers(0, 2**32 - 1))
def test_symbols_and_table_come_back(counts, seed):
    symbols = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    lengths = huffman.code_lengths(np.bincount(symbols, minlength=len(counts)))
    data = pack_bits(huffman.encode_lengths(lengths), huffman.encode(symbols, lengths))
    reader = BitReader(data)
    read = huffman.decode_lengths(reader, len(counts))
    np.testing.assert_array_equal(read, lengths)
    np.testing.assert_array_equal(huffman.decode(reader, len(symbols), read), symbols)
    reader.finish()


def test_long_words_are_read_beyond_the_first_look_up():
    counts = 2 ** np.arange(22)
    lengths = huffman.code_lengths(counts)
    assert lengths.max() == 21
    symbols = np.array([0, 21, 1, 0, 10, 21])
    reader = BitReader(pack_bits(huffman.encode(symbols, lengths)))
    np.testing.assert_array_equal(huffman.decode(reader, 6, lengths), symbols)


def test_codes_are_canonical():
    """RFC 1951, 3.2.2: lengths (3, 3, 3, 3, 3, 2, 4, 4) give these words."""
    lengths = np.array([3, 3, 3, 3, 3, 2, 4, 4], np.uint8)
    words, _ = huffman.encode(np.arange(8), lengths)
    expected = ["010", "011", "100", "101", "110", "00", "1110", "1111"]
    assert [f"{word:0{length}b}" for word, length in zip(words, lengths, strict=True)] == expected


def test_one_symbol_takes_no_bits():
    lengths = huffman.code_lengths([0, 7, 0])
    assert pack_bits(huffman.encode(np.full(7, 1), lengths)) == b""
    assert huffman.decode(BitReader(b""), 7, lengths).tolist() == [1] * 7


def test_equal_lengths_of_two_symbols_are_packed_bits():
    bits = np.random.default_rng(0).integers(0, 2, 99)
    lengths = huffman.code_lengths([1, 1])
    assert pack_bits(huffman.encode(bits, lengths)) == np.packbits(bits).tobytes()


@pytest.mark.parametrize(
    ("lengths", "data", "said"),
    [
        ([1, 2], b"\x00", "no whole Huffman code"),  # the word 11 is missing
        ([1, 1, 1], b"\x00", "no whole Huffman code"),
        ([0, 0], b"\x00", "no whole Huffman code"),
        ([1, 1], b"", "too few"),
    ],
)
def test_what_is_no_code_is_refused(lengths, data, said):
    with pytest.raises(SlimFileError, match=said):
        huffman.decode(BitReader(data), 3, np.array(lengths, np.uint8))


def test_bits_behind_the_last_code_are_refused():
    lengths = np.array([1, 1], np.uint8)
    for data in (b"\x01", b"\x00\x00"):
        reader = BitReader(data)
        huffman.decode(reader, 3, lengths)
        with pytest.raises(SlimFileError, match="behind the last code"):
            reader.finish()


@given(st.lists(st.integers(1, 2**16), min_size=1))
def test_gamma_codes_are_eliass(values):
    data = pack_bits(gammas(np.array(values)))
    bits = "".join(f"{byte:08b}" for byte in data)
    assert bits.rstrip("0") == "".join(
        "0" * (value.bit_length() - 1) + f"{value:b}" for value in values
    ).rstrip("0")
    assert BitReader(data).gammas(len(values)).tolist() == values


@given(st.integers(0, 2**63 - 1))
def test_varints_come_back(value):
    reader = ByteReader(varint(value) + b"!")
    assert reader.varint() == value
    assert bytes(reader.rest()) == b"!"


def test_a_varint_that_does_not_end_is_refused():
    with pytest.raises(SlimFileError, match="more than 9 bytes"):
        ByteReader(b"\xff" * 12).varint()
    with pytest.raises(SlimFileError, match="0 bytes where 1 should follow"):
        ByteReader(b"\xff").varint()
