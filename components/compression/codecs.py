"""Encoders by name. Images are RGB here; OpenCV's order of channels stays inside."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from components.errors import ImageError, ParameterError

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Codec:
    """One image file format.

    Attributes
    ----------
    name, suffix : str
        Its name in ``params.yaml``, its files' ending.
    lossless : bool
        Whether decoding gives every pixel back.
    quality_flag : int or None
        OpenCV's name for the quality setting, None where there is none.
    """

    name: str
    suffix: str
    lossless: bool
    quality_flag: int | None

    def encode(self, image: Pixels, quality: int) -> bytes:
        """Encode uint8 RGB (H, W, 3) at `quality` in 1..100; lossless formats ignore it.

        Raises
        ------
        ImageError
            If the array has another shape or dtype, which OpenCV would silently make some image
            of, or the encoder refuses it.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ImageError(
                f"{self.name}: cannot encode {image.dtype} {image.shape}, expected uint8 (H, W, 3)"
            )
        flags = [] if self.quality_flag is None else [self.quality_flag, quality]
        try:
            done, data = cv2.imencode(self.suffix, image[..., ::-1], flags)
        except cv2.error as error:
            raise ImageError(f"{self.name}: cannot encode {image.dtype} {image.shape}") from error
        if not done:
            raise ImageError(f"{self.name}: cannot encode {image.dtype} {image.shape}")
        return bytes(data)

    def decode(self, data: bytes) -> Pixels:
        """Decode to uint8 RGB (H, W, 3).

        Raises
        ------
        ImageError
            If the bytes are no image.
        """
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
        if image is None:
            raise ImageError(f"{self.name}: received {len(data)} bytes that do not decode")
        return np.ascontiguousarray(image[..., ::-1], dtype=np.uint8)


CODECS = {
    "jpeg": Codec("jpeg", ".jpg", lossless=False, quality_flag=cv2.IMWRITE_JPEG_QUALITY),
    "png": Codec("png", ".png", lossless=True, quality_flag=None),
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
