"""Encoding by OpenCV and by Pillow, for the codecs that use one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def encode_with_opencv(
    image: npt.NDArray[np.uint8], suffix: str, flags: Sequence[int] = ()
) -> bytes:
    """Encode uint8 RGB (H, W, 3).

    Parameters
    ----------
    image : array
    suffix : str
        Names the format, such as ``.png``.
    flags : sequence of int
        Pairs of an OpenCV flag and its value.

    Raises
    ------
    OSError
        If OpenCV does not encode it.
    """
    import cv2

    done, data = cv2.imencode(suffix, image[..., ::-1], list(flags))  # its order is BGR
    if not done:
        raise OSError(f"OpenCV wrote no {suffix}")
    return bytes(data)


def encode_with_pillow(image: npt.NDArray[np.uint8], name: str, **options: Any) -> bytes:
    """Encode uint8 RGB (H, W, 3) in Pillow's format of a name, with its options."""
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(image).save(stream, name, **options)
    return stream.getvalue()
