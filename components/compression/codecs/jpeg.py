"""JPEG as OpenCV writes it, which is the paper's encoder."""

from slimderm.components.compression.codecs.base import Codec, Item
from slimderm.components.compression.codecs.libraries import encode_with_opencv


def write(item: Item, quality: int) -> bytes:
    """Encode at `quality` in 1..100, which is the scale of the format's own library."""
    import cv2

    return encode_with_opencv(item.image, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality])


CODEC = Codec("jpeg", ".jpg", write, qualities=(50, 75, 85, 90, 95, 98), colour="#1b6ca8")
