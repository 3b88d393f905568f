"""PNG as OpenCV writes it: every pixel comes back."""

from slimderm.components.compression.codecs.base import Codec, Item
from slimderm.components.compression.codecs.libraries import encode_with_opencv


def write(item: Item, _quality: int) -> bytes:
    """Encode without loss; the quality has no effect."""
    return encode_with_opencv(item.image, ".png")


CODEC = Codec("png", ".png", write, qualities=(100,), lossless=True)
