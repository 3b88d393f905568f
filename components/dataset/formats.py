"""The formats of image files that can be read: one line each.

`slimderm.components.dataset.images` decodes by this table, and ingest looks for its suffixes. What
Pillow reads needs no more than its line; another format gives its own reader in a file of its own.
The table loads no library that decodes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slimderm.components.dataset import depth, factors, jxl

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class Format:
    """A format of image files.

    Attributes
    ----------
    name : str
        As messages have it.
    suffixes : tuple of str
        The endings that ingest looks for, in lower case. A format without any is not looked for,
        but is read where its files are named.
    pillow : str or None
        Pillow's name of it, where Pillow decodes it.
    starts : tuple of bytes
        How its files begin, where `read_size` or `decode` is given.
    read_size : callable or None
        A file to height and width, from its header, where Pillow would decode every pixel first.
    decode : callable or None
        A file to uint8 RGB (H, W, 3), where Pillow does not decode it.
    register : callable or None
        Makes the format known to Pillow.
    read_depth : callable or None
        A file to its bits a channel, from its header, where there may be more than 8; None for a
        file of another format.
    """

    name: str
    suffixes: tuple[str, ...]
    pillow: str | None = None
    starts: tuple[bytes, ...] = ()
    read_size: Callable[[bytes], tuple[int, int]] | None = None
    decode: Callable[[bytes], npt.NDArray[np.uint8]] | None = None
    register: Callable[[], object] | None = None
    read_depth: Callable[[bytes], int | None] | None = None


FORMATS = (
    Format("JPEG", (".jpg", ".jpeg"), "JPEG", read_depth=depth.jpeg_depth),
    Format("PNG", (".png",), "PNG", read_depth=depth.png_depth),
    Format("WebP", (".webp",), "WEBP"),
    Format("AVIF", (".avif",), "AVIF", read_depth=depth.avif_depth),
    Format(
        "JPEG XL",
        (".jxl",),
        "JXL",
        jxl.STARTS,
        jxl.read_size,
        register=jxl.register,
        read_depth=jxl.read_depth,
    ),
    Format("factors", (), None, (factors.MAGIC,), factors.read_size, factors.unpack),
)
SUFFIXES = tuple(suffix for found in FORMATS for suffix in found.suffixes)


def format_of(data: bytes) -> Format | None:
    """Return the format whose `Format.starts` a file begins with, or None."""
    return next((found for found in FORMATS if data.startswith(found.starts)), None)


def depth_of(data: bytes) -> int:
    """Return the bits a channel that a file's header states; 8 where it states none."""
    readers = (found.read_depth for found in FORMATS if found.read_depth is not None)
    return next((depth for depth in (read(data) for read in readers) if depth), 8)


def describe_formats() -> str:
    """Name the formats that ingest looks for, as a sentence has them."""
    *others, last = [found.name for found in FORMATS if found.suffixes]
    return f"{', '.join(others)} or {last}"
