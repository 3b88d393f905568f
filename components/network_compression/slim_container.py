"""The frame of a `.slim` file: magic, version, architecture, records, checksum.

The byte layout is written down in ``docs/slim-file.md``.
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from slimderm.components.common.errors import SlimFileError
from slimderm.components.network_compression.bits import ByteReader, varint
from slimderm.components.network_compression.codings.deflate import deflated, inflated
from slimderm.components.network_compression.slim_dictionary import DICTIONARY

# As PNG's: a byte that is no ASCII, and a line end that transfers as text change.
MAGIC = b"\x8bSLIM\r\n"
VERSION = 1
CHECKSUM_BYTES = 4
MOST_ARCHITECTURE_BYTES = 1 << 24


@dataclass(frozen=True)
class Container:
    """What a file holds.

    Attributes
    ----------
    architecture : bytes
        The JSON.
    architecture_bytes : int
        What it takes in the file.
    records : tuple of (int, memoryview)
        For each weight the number of its coding and what that wrote.
    """

    architecture: bytes
    architecture_bytes: int
    records: tuple[tuple[int, memoryview], ...]


def write_container(architecture: bytes, records: Iterable[tuple[int, bytes]]) -> bytes:
    """Put a file together."""
    packed = deflated(architecture, 9, DICTIONARY)
    records = list(records)
    parts = [MAGIC, bytes([VERSION]), varint(len(architecture)), varint(len(packed)), packed]
    parts.append(varint(len(records)))
    for number, data in records:
        parts += [varint(number), varint(len(data)), data]
    body = b"".join(parts)
    return body + zlib.crc32(body).to_bytes(CHECKSUM_BYTES, "little")


def read_container(data: bytes | memoryview) -> Container:
    """Take a file apart.

    Raises
    ------
    SlimFileError
        For bytes that are no such file, of a later version, damaged, cut short or too long.
    """
    view = memoryview(data)
    _check_start(bytes(view[: len(MAGIC) + 1]))
    body = view[:-CHECKSUM_BYTES]
    if len(body) <= len(MAGIC) or zlib.crc32(body) != int.from_bytes(view[len(body) :], "little"):
        raise SlimFileError(
            f"file: received {len(view)} bytes that do not agree with their checksum, expected a "
            "whole file; it is damaged, cut short or has bytes behind its end"
        )
    reader = ByteReader(body[len(MAGIC) + 1 :])
    size = reader.varint()
    if size > MOST_ARCHITECTURE_BYTES:
        raise SlimFileError(
            f"architecture: received one of {size} bytes, expected at most "
            f"{MOST_ARCHITECTURE_BYTES}"
        )
    packed = reader.take(reader.varint())
    architecture = inflated(packed, size, DICTIONARY)
    records = []
    for _ in range(reader.varint()):
        number = reader.varint()
        records.append((number, reader.take(reader.varint())))
    left = len(reader.rest())
    if left:
        raise SlimFileError(f"file: received {left} bytes behind the last weight, expected none")
    return Container(architecture, len(packed), tuple(records))


def _check_start(start: bytes) -> None:
    if not start.startswith(MAGIC):
        text = start.startswith(MAGIC[:5])
        why = "; it was damaged by a transfer as text" if text else ""
        raise SlimFileError(
            f"file: received one that starts with {start!r}, expected {MAGIC!r} and a version{why}"
        )
    if len(start) > len(MAGIC) and start[-1] != VERSION:
        raise SlimFileError(
            f"file: received one of version {start[-1]}, expected {VERSION}; a later SlimDerm "
            "reads later versions"
        )
