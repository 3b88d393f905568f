"""Bits a channel, from a file's header: libraries cut more than 8 to 8 without a word.

Each function gives None for a file of another format.
"""

import struct

JPEG_START, PNG_START = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
# Frame headers (ITU-T T.81, table B.1): C4, C8 and CC are none.
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
SCAN = 0xDA  # where the pixels begin
ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length


def jpeg_depth(data: bytes) -> int | None:
    """Read the precision of a JPEG file's frame."""
    if not data.startswith(JPEG_START):
        return None
    place = 2
    while place + 5 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker in FRAMES:
            return data[place + 4]
        if marker == SCAN:
            break
        if marker in ALONE or marker == 0xFF:
            place += 1 if marker == 0xFF else 2
        else:
            place += 2 + int(struct.unpack_from(">H", data, place + 2)[0])
    return None


def png_depth(data: bytes) -> int | None:
    """Read the bits a sample of a PNG file; a palette's colours have 8, however many it holds."""
    if not data.startswith(PNG_START) or len(data) < 26:
        return None
    return 8 if data[25] == 3 else data[24]


def avif_depth(data: bytes) -> int | None:
    """Read the bits a channel of an AVIF file from its first ``av1C`` box."""
    if data[4:8] != b"ftyp":  # of any brand: the box below makes it AVIF
        return None
    end = data.find(b"mdat")
    place = data.find(b"av1C", 0, end if end > 0 else len(data))
    if place < 0 or place + 7 > len(data):
        return None
    flags = data[place + 6]  # AV1-ISOBMFF, 2.3.3: tier, high_bitdepth, twelve_bit, ...
    if not flags & 0x40:
        return 8
    return 12 if flags & 0x20 else 10
