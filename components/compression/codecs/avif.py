"""AVIF as Pillow writes it."""

from slimderm.components.compression.codecs.base import Codec, Item
from slimderm.components.compression.codecs.libraries import encode_with_pillow


def write(item: Item, quality: int) -> bytes:
    """Encode at `quality` in 1..100.

    In one thread, so that equal images give equal bytes and worker processes do not compete.
    """
    return encode_with_pillow(item.image, "AVIF", quality=quality, speed=6, max_threads=1)


CODEC = Codec("avif", ".avif", write, qualities=(50, 65, 80, 90), colour="#d1495b")
