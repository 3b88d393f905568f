"""`docs/slim-file.md` says enough: a reader written from that page alone, in plain Python.

It shares nothing with the reader under test but the dictionary, and is slow.
"""

import json
import struct
import zlib
from math import ceil, prod
from pathlib import Path
from statistics import NormalDist

import numpy as np

from slimderm.components.network_compression.codings.table import CODINGS, RANDOM_NUMBER
from slimderm.components.network_compression.slim_dictionary import DICTIONARY
from slimderm.components.network_compression.slim_file import load

GOLDEN = [Path(__file__).with_name(name) for name in ("golden.slim", "golden_scaled.slim")]
RANDOM = Path(__file__).with_name("golden_random.slim")


class Stranger:
    def __init__(self, data):
        self.data, self.place = data, 0

    def take(self, count):
        self.place += count
        return self.data[self.place - count : self.place]

    def varint(self):
        value = shift = 0
        while True:
            (byte,) = self.take(1)
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def bits(self):
        return iter("".join(f"{byte:08b}" for byte in self.data[self.place :]))


def floats(data):
    return [value for (value,) in struct.iter_unpack("<f", data)]


def table(bits, size):
    lengths, last = [], 4
    for _ in range(size):
        zeros = 0
        while next(bits) == "0":
            zeros += 1
        value = int("1" + "".join(next(bits) for _ in range(zeros)), 2)
        if value == 4:
            lengths.append(0)
            continue
        value -= value > 4
        last += value // 2 if value % 2 == 0 else -(value // 2)
        lengths.append(last)
    return lengths


def words(bits, lengths, count):
    used = sorted((length, symbol) for symbol, length in enumerate(lengths) if length)
    if len(used) == 1:
        return [used[0][1]] * count
    code, before, known = 0, used[0][0], {}
    for length, symbol in used:
        code <<= length - before
        known[f"{code:0{length}b}"] = symbol
        code, before = code + 1, length
    found = []
    for _ in range(count):
        word = next(bits)
        while word not in known:
            word += next(bits)
        found.append(known[word])
    return found


def plane(reader, count):
    packed = reader.take(reader.varint())
    return packed if len(packed) == count else zlib.decompress(packed, -15)


def deflate(reader, count):
    planes = [plane(reader, count) for _ in range(4)]
    return floats(bytes(byte for value in zip(*planes, strict=True) for byte in value))


def shared(reader, count):
    size = reader.varint()
    values = floats(reader.take(4 * size))
    bits = reader.bits()
    return [values[symbol] for symbol in words(bits, table(bits, size), count)]


def sparse(reader, count):
    found = [0.0] * count
    num_values = reader.varint()
    if not num_values:
        return found
    fillers, width, num_gaps, size = (reader.varint() for _ in range(4))
    if size:
        values = floats(reader.take(4 * size))
    else:
        values = deflate(Stranger(reader.take(reader.varint())), num_values)
    bits = reader.bits()
    gaps = words(bits, table(bits, num_gaps), num_values + fillers)
    if size:
        values = [values[symbol] for symbol in words(bits, table(bits, size), num_values)]
    place, left = 0, iter(values)
    for gap in gaps:
        place += gap
        if gap != 2**width - 1:
            found[place] = next(left)
            place += 1
    return found


def scaled(reader, count):
    size = reader.varint()
    scales = floats(reader.take(4 * size))
    numbers = BYTES[reader.varint()](reader, count)
    signed = [number - 256 if number > 127 else number for number in numbers]
    return [np.float32(scales[place % size]) * number for place, number in enumerate(signed)]


def shared_bytes(reader, count):
    size = reader.varint()
    values = reader.take(size)
    bits = reader.bits()
    return [values[symbol] for symbol in words(bits, table(bits, size), count)]


BYTES = {0: lambda reader, count: reader.take(count), 2: plane, 3: shared_bytes}


READERS = [
    lambda reader, count: floats(reader.data),
    lambda reader, count: floats(reader.data) * count,
    deflate,
    shared,
    sparse,
    scaled,
]


def test_a_stranger_reads_the_golden_files():
    codings = set()
    for path in GOLDEN:
        codings |= stranger_reads(path)
    assert codings == {coding.number for coding in CODINGS.values()} == set(range(len(READERS)))


def opened(path):
    """Return a reader that stands before the number of weights."""
    reader = Stranger(path.read_bytes())
    assert reader.take(8) == bytes.fromhex("8B 53 4C 49 4D 0D 0A 01")
    size = reader.varint()
    text = zlib.decompressobj(-15, DICTIONARY).decompress(reader.take(reader.varint()))
    document = json.loads(text)
    assert len(text) == size
    assert document["config"]["name"].startswith("golden")
    return reader


def stranger_reads(path):
    """Compare every weight; return which codings there were."""
    reader, expected = opened(path), load(path).get_weights()
    assert reader.varint() == len(expected)
    codings = set()
    for weight in expected:
        coding = reader.varint()
        payload = Stranger(reader.take(reader.varint()))
        found = np.float32(READERS[coding](payload, weight.size))
        assert found.tobytes() == weight.tobytes()
        codings.add(coding)
    end = reader.place
    assert reader.take(4) == zlib.crc32(reader.data[:end]).to_bytes(4, "little")
    assert len(reader.data) == reader.place
    return codings


def philox(place, key):
    """Philox4x64 of ten rounds, as its paper has it."""
    whole = (1 << 64) - 1
    words, key = [place >> 64 * each & whole for each in range(4)], list(key)
    for _ in range(10):
        one, other = 0xD2E7470EE14C6C93 * words[0], 0xCA5A826395121157 * words[2]
        words = [
            other >> 64 ^ words[1] ^ key[0],
            other & whole,
            one >> 64 ^ words[3] ^ key[1],
            one & whole,
        ]
        key = [key[0] + 0x9E3779B97F4A7C15 & whole, key[1] + 0xBB67AE8584CAA73B & whole]
    return words


def normal(number):
    return round(1024 * NormalDist().inv_cdf((number + 0.5) / 65536)) / 1024


def sixteen(place, key):
    return [word >> 16 * lane & 0xFFFF for word in philox(place, key) for lane in range(4)]


def random_codes(records, sizes):
    """Decode all weights of coding 6, from what their records hold."""
    scales, groups = [], []
    for reader in records:
        scales += struct.unpack("<e", reader.take(2))
        groups.append(reader.varint())
    seed, bits, blocks = (records[0].varint() for _ in range(3))
    text = "".join(f"{byte:08b}" for byte in records[0].take(ceil(blocks * bits / 8)))
    indices = [int(text[bits * each : bits * (each + 1)], 2) for each in range(blocks)]
    counts = [ceil(size / group) for size, group in zip(sizes, groups, strict=True)]
    total = sum(counts)
    words = [philox(each // 4, (seed, 1))[each % 4] for each in range(total)]
    order = sorted(range(total), key=lambda each: (words[each], each))
    counters = ceil(ceil(total / blocks) / 16)
    samples = []
    for block, index in enumerate(indices):
        first = (block * 2**bits + index) * counters
        samples.append([n for each in range(counters) for n in sixteen(first + each, (seed, 0))])
    normals = iter(normal(samples[rank % blocks][rank // blocks]) for rank in order)
    found, start = [], 0
    for size, group, count, scale in zip(sizes, groups, counts, scales, strict=True):
        own = [next(normals) for _ in range(count)]
        weights = []
        for place in range(size):
            at = start + place
            word = philox(at // 256, (seed, 2))[at // 64 % 4]
            sign = 1 - 2 * (word >> at % 64 & 1) if group > 1 else 1
            weights.append(scale * own[place // group] * sign)
        found.append(weights)
        start += size
    return found


def test_a_stranger_reads_random_codes():
    reader = opened(RANDOM)
    expected = load(RANDOM).get_weights()
    assert reader.varint() == len(expected)
    records, coded = [], []
    for weight in expected:
        coding = reader.varint()
        payload = Stranger(reader.take(reader.varint()))
        if coding == RANDOM_NUMBER:
            records.append(payload)
            coded.append(weight)
    assert len(coded) == 4
    assert len(expected) > 4  # others stand between them
    found = random_codes(records, [prod(weight.shape) for weight in coded])
    for weight, values in zip(coded, found, strict=True):
        assert np.float32(values).tobytes() == weight.tobytes()
    assert all(record.place == len(record.data) for record in records)
