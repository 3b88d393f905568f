"""WebP, lossy, as Pillow writes it."""

from slimderm.components.compression.codecs.base import Codec, Item
from slimderm.components.compression.codecs.libraries import encode_with_pillow


def write(item: Item, quality: int) -> bytes:
    """Encode at `quality` in 1..100."""
    return encode_with_pillow(item.image, "WEBP", quality=quality, method=4)


CODEC = Codec("webp", ".webp", write, qualities=(50, 75, 90, 97), colour="#2e933c")
