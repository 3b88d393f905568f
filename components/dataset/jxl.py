"""The size and the depth of a JPEG XL image from its header (ISO/IEC 18181-1, annex D).

The library that decodes it tells the size only after it has decoded every pixel, which is too late
to refuse a bomb; and it cuts deeper images to 8 bits without a word.
"""

import struct

from slimderm.components.common.errors import ImageError

CODESTREAM = b"\xff\x0a"
CONTAINER = b"\x00\x00\x00\x0cJXL \r\n\x87\n"
STARTS = (CODESTREAM, CONTAINER)
BITS = (9, 13, 18, 30)  # of a side, less one
HEADER = 64  # bytes, more than size and depth can take
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
    return _size(_header(data))


def read_depth(data: bytes) -> int | None:
    """Give the bits a channel; None where the file is no JPEG XL.

    Raises
    ------
    ImageError
        As `read_size`.
    """
    if not data.startswith(STARTS):
        return None
    bits = _header(data)
    _size(bits)
    if bits.take(1):  # everything as by default
        return 8
    if bits.take(1):
        bits.take(3)  # orientation
        if bits.take(1):
            _size(bits)  # the size to show it at
        if bits.take(1):
            _skip_preview(bits)
        if bits.take(1):
            _skip_animation(bits)
    if bits.take(1):  # floating point
        return bits.choose((32, 0), (16, 0), (24, 0), (1, 6))
    return bits.choose((8, 0), (10, 0), (12, 0), (1, 6))


def _header(data: bytes) -> "_Bits":
    start = 0 if data.startswith(CODESTREAM) else _codestream(data)
    header = data[start : start + HEADER]
    if not header.startswith(CODESTREAM) or len(header) < 12:
        raise ImageError("truncated: the JPEG XL file ends before its header")
    return _Bits(int.from_bytes(header[2:], "little"))


def _size(bits: "_Bits") -> tuple[int, int]:
    small = bits.take(1)
    height = _side(bits, small)
    ratio = bits.take(3)
    if ratio == 0:
        return height, _side(bits, small)
    across, down = RATIOS[ratio]
    return height, height * across // down


def _skip_preview(bits: "_Bits") -> None:
    eighths = bits.take(1)
    side = (
        ((16, 0), (32, 0), (1, 5), (33, 9)) if eighths else ((1, 6), (65, 8), (321, 10), (1345, 12))
    )
    bits.choose(*side)
    if bits.take(3) == 0:
        bits.choose(*side)


def _skip_animation(bits: "_Bits") -> None:
    bits.choose((100, 0), (1000, 0), (1, 10), (1, 30))  # ticks a second
    bits.choose((1, 0), (1001, 0), (1, 8), (1, 10))
    bits.choose((0, 0), (0, 3), (0, 16), (0, 32))  # loops
    bits.take(1)


class _Bits:
    """Numbers of some bits each, the lowest first."""

    def __init__(self, value: int) -> None:
        self.value = value

    def take(self, count: int) -> int:
        taken = self.value & ((1 << count) - 1)
        self.value >>= count
        return taken

    def choose(self, *ways: tuple[int, int]) -> int:
        """Read a number in one of four ways: an offset, and how many bits are added to it."""
        offset, count = ways[self.take(2)]
        return offset + self.take(count)


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
