"""How an image is stored, by name: encoders of files, and the singular vectors themselves.

Reading is `slimderm.components.dataset.images.decode_image`'s, for all of them.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import imagecodecs
import numpy as np
import numpy.typing as npt
from PIL import Image

from slimderm.components.common.errors import ImageError, ParameterError
from slimderm.components.compression.factors import pack
from slimderm.components.compression.svd import Decomposition, decompose
from slimderm.components.dataset.images import decode_image

Pixels = npt.NDArray[np.uint8]
JPEG_START = b"\xff\xd8\xff"


@dataclass(frozen=True)
class Item:
    """An image on its way into a file.

    Attributes
    ----------
    source : bytes
        The file that it came from.
    decomposition : Decomposition
        Of the image as it came, or None where nobody needs it.
    k : int or None
        The rank it was truncated to; None where it was not.
    image : uint8 array of shape (H, W, 3)
        RGB, truncated.
    """

    source: bytes
    decomposition: Decomposition | None
    k: int | None
    image: Pixels


@dataclass(frozen=True)
class Codec:
    """One way to store an image.

    Attributes
    ----------
    name, suffix : str
        Its name in ``params.yaml``, its files' ending.
    lossless : bool
        Whether decoding gives every pixel of ``Item.image`` back whatever the quality.
    repacks : bool
        Whether a source that was not truncated is kept without loss, whatever the quality.
    write : callable
        Item and quality in 1..100 to bytes.
    """

    name: str
    suffix: str
    lossless: bool
    write: Callable[[Item, int], bytes]
    repacks: bool = False

    def store(self, item: Item, quality: int) -> bytes:
        """Encode `item` at `quality` in 1..100; lossless formats ignore it.

        Raises
        ------
        ImageError
            If the array has another shape or dtype, which encoders would silently make some image
            of, or the encoder refuses it.
        """
        image = item.image
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ImageError(
                f"{self.name}: cannot encode {image.dtype} {image.shape}, expected uint8 (H, W, 3)"
            )
        try:
            return self.write(item, quality)
        except (cv2.error, OSError, RuntimeError, ValueError, SystemError) as error:
            if isinstance(error, ImageError):
                raise
            raise ImageError(f"{self.name}: cannot encode {image.dtype} {image.shape}") from error

    def encode(self, image: Pixels, quality: int) -> bytes:
        """Encode uint8 RGB (H, W, 3) that came from nowhere, as `store`."""
        return self.store(Item(b"", None, None, image), quality)

    def decode(self, data: bytes) -> Pixels:
        """Decode to uint8 RGB (H, W, 3).

        Raises
        ------
        ImageError
            If the bytes are no image.
        """
        return decode_image(data)


def _opencv(suffix: str, flag: int | None) -> Callable[[Item, int], bytes]:
    def write(item: Item, quality: int) -> bytes:
        flags = [] if flag is None else [flag, quality]
        done, data = cv2.imencode(suffix, item.image[..., ::-1], flags)  # its order is BGR
        if not done:
            raise OSError
        return bytes(data)

    return write


def _pillow(name: str, **options: Any) -> Callable[[Item, int], bytes]:
    """One thread each, so that equal images are equal bytes and processes do not crowd."""

    def write(item: Item, quality: int) -> bytes:
        if name == "JXL":
            import pillow_jxl  # noqa: F401  it registers the format
        stream = io.BytesIO()
        Image.fromarray(item.image).save(stream, name, quality=quality, **options)
        return stream.getvalue()

    return write


_jpeg = _opencv(".jpg", cv2.IMWRITE_JPEG_QUALITY)


def _transcode(item: Item, quality: int) -> bytes:
    """Repack a JPEG without loss: the source's own where nothing was truncated."""
    if item.k is None and item.source and not item.source.startswith(JPEG_START):
        raise ImageError("jxl_transcode: received a source that is no JPEG file; take codec jxl")
    untouched = item.k is None and item.source
    return bytes(imagecodecs.jpegxl_encode_jpeg(item.source if untouched else _jpeg(item, quality)))


def restore_jpeg(data: bytes) -> bytes:
    """Give back, byte for byte, the JPEG file that ``jxl_transcode`` repacked.

    Raises
    ------
    ImageError
        If the bytes hold no repacked JPEG.
    """
    try:
        return bytes(imagecodecs.jpegxl_decode_jpeg(data))
    except (RuntimeError, ValueError) as error:
        raise ImageError(f"jxl_transcode: no repacked JPEG in {len(data)} bytes") from error


def _factors(item: Item, quality: int) -> bytes:
    decomposition = item.decomposition or decompose(item.image)
    return pack(decomposition, item.k or min(item.image.shape[:2]), quality)


CODECS = {
    codec.name: codec
    for codec in (
        Codec("jpeg", ".jpg", lossless=False, write=_jpeg),
        Codec("png", ".png", lossless=True, write=_opencv(".png", None)),
        Codec("webp", ".webp", lossless=False, write=_pillow("WEBP", method=4)),
        Codec("avif", ".avif", lossless=False, write=_pillow("AVIF", speed=6, max_threads=1)),
        Codec("jxl", ".jxl", lossless=False, write=_pillow("JXL", effort=7, num_threads=1)),
        Codec("jxl_transcode", ".jxl", lossless=False, write=_transcode, repacks=True),
        Codec("factors", ".svd", lossless=False, write=_factors),
    )
}


def get(name: str) -> Codec:
    """Return the codec of a name.

    Raises
    ------
    ParameterError
        If there is none; the message lists those there are.
    """
    if name not in CODECS:
        raise ParameterError(f"codec: received {name!r}, expected one of {', '.join(CODECS)}")
    return CODECS[name]
