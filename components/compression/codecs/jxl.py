"""JPEG XL, lossy, by Pillow's plugin for it."""

from slimderm.components.compression.codecs.base import Codec, Item
from slimderm.components.compression.codecs.libraries import encode_with_pillow


def write(item: Item, quality: int) -> bytes:
    """Encode at `quality` in 1..100.

    In one thread, so that equal images give equal bytes and worker processes do not compete.
    """
    import pillow_jxl  # noqa: F401  it registers the format

    return encode_with_pillow(item.image, "JXL", quality=quality, effort=7, num_threads=1)


CODEC = Codec("jxl", ".jxl", write, qualities=(60, 75, 90, 95), colour="#8d5a97")
