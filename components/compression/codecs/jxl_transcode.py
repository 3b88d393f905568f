"""A JPEG file repacked as JPEG XL without loss, so that the file itself comes back."""

from slimderm.components.common.errors import ImageError
from slimderm.components.compression.codecs import jpeg
from slimderm.components.compression.codecs.base import Codec, Item

JPEG_START = b"\xff\xd8\xff"


def write(item: Item, quality: int) -> bytes:
    """Repack a JPEG file: the source's own where nothing was truncated, else one of `quality`.

    Raises
    ------
    ImageError
        If nothing was truncated and the source is no JPEG file.
    """
    import imagecodecs

    if item.k is None and item.source and not item.source.startswith(JPEG_START):
        raise ImageError("received a source that is no JPEG file, expected one; take jxl")
    untouched = item.k is None and item.source
    data = item.source if untouched else jpeg.write(item, quality)
    return bytes(imagecodecs.jpegxl_encode_jpeg(data))


def restore_jpeg(data: bytes) -> bytes:
    """Give back, byte for byte, the JPEG file that was repacked.

    Raises
    ------
    ImageError
        If the bytes hold no repacked JPEG.
    """
    import imagecodecs

    try:
        return bytes(imagecodecs.jpegxl_decode_jpeg(data))
    except (RuntimeError, ValueError) as error:
        raise ImageError(f"jxl_transcode: no repacked JPEG in {len(data)} bytes") from error


CODEC = Codec("jxl_transcode", ".jxl", write, qualities=(75, 95), repacks=True, instead="jxl")
