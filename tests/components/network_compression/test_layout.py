"""`docs/slim-file.md` says enough: a reader written from that page alone, in plain Python.

It shares nothing with the reader under test but the dictionary, and is slow.
"""

import json
import struct
import zlib
from pathlib import Path

import numpy as np

from slimderm.components.network_compression.codings.table import CODINGS
from slimderm.components.network_compression.slim_dictionary import DICTIONARY
from slimderm.components.network_compression.slim_file import load

GOLDEN = [Path(__file__).with_name(name) for name in ("golden.slim", "golden_scaled.slim")]


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
        codings |= stranger_reads(path.read_bytes(), "golden", load(path))
    assert codings == {coding.number for coding in CODINGS.values()} == set(range(len(READERS)))


def stranger_reads(data, name, model):
    """Compare every weight; return which codings there were."""
    reader = Stranger(data)
    assert reader.take(8) == bytes.fromhex("8B 53 4C 49 4D 0D 0A 01")
    size = reader.varint()
    text = zlib.decompressobj(-15, DICTIONARY).decompress(reader.take(reader.varint()))
    document = json.loads(text)
    assert len(text) == size
    assert document["config"]["name"] == name
    expected = model.get_weights()
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
