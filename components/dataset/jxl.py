"""The size of a JPEG XL image from its header (ISO/IEC 18181-1, annex D).

The library that decodes it tells the size only after it has decoded every pixel, which is too late
to refuse a bomb.
"""

import struct

from slimderm.components.common.errors import ImageError

CODESTREAM = b"\xff\x0a"
CONTAINER = b"\x00\x00\x00\x0cJXL \r\n\x87\n"
STARTS = (CODESTREAM, CONTAINER)
BITS = (9, 13, 18, 30)  # of a side, less one
RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}


def register() -> None:
    """Make JPEG XL known to Pillow."""
    import pillow_jxl  # noqa: F401  the import does it


def read_size(data: bytes) -> tuple[int, int]:
    """Give height and width in pixels.

    Raises
    ------
    ImageError
        If the file ends before its header, or holds none.
    """
    start = 0 if data.startswith(CODESTREAM) else _codestream(data)
    header = data[start : start + 16]
    if not header.startswith(CODESTREAM) or len(header) < 12:
        raise ImageError("truncated: the JPEG XL file ends before its header")
    bits = _Bits(int.from_bytes(header[2:], "little"))
    small = bits.take(1)
    height = _side(bits, small)
    ratio = bits.take(3)
    if ratio == 0:
        return height, _side(bits, small)
    across, down = RATIOS[ratio]
    return height, height * across // down


class _Bits:
    """Numbers of some bits each, the lowest first."""

    def __init__(self, value: int) -> None:
        self.value = value

    def take(self, count: int) -> int:
        taken = self.value & ((1 << count) - 1)
        self.value >>= count
        return taken


def _side(bits: _Bits, small: int) -> int:
    if small:
        return (bits.take(5) + 1) * 8
    return bits.take(BITS[bits.take(2)]) + 1


def _codestream(data: bytes) -> int:
    """Where the image begins within a container of boxes."""
    place = 0
    while place + 16 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        head = 8
        if size == 1:
            size, head = struct.unpack_from(">Q", data, place + 8)[0], 16
        if kind == b"jxlc":
            return place + head
        if kind == b"jxlp":
            return place + head + 4  # after the part's number
        if size < head:
            break
        place += size
    raise ImageError("truncated: the JPEG XL file ends before its image")
