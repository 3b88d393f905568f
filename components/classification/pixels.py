"""An image as people give it: a file's bytes, or an array of pixels; anything else is refused."""

import base64
import binascii
from typing import Any

import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import ImageError

Pixels = npt.NDArray[np.uint8]
EXPECTED = (
    "expected an image file's bytes (in JSON: as base64), or its pixels: whole numbers 0..255 of "
    "shape (height, width, 3), RGB"
)


def read_image_or_pixels(given: Any) -> bytes | Pixels:
    """Tell an image file from an array of pixels, and check the array.

    Parameters
    ----------
    given : bytes, str or array
        A whole image file, the same as base64, or pixels: nested lists or an array of any numeric
        dtype.

    Returns
    -------
    bytes or uint8 array of shape (H, W, 3)
        The file, not decoded yet; or the pixels, RGB.

    Raises
    ------
    ImageError
        If it is missing, text that is no base64, or an array of another shape or with values that
        are no whole numbers in 0..255. An image that was scaled to 0..1 is refused by this rule.
    """
    if isinstance(given, bytes | bytearray | memoryview):
        return bytes(given)
    if isinstance(given, str):
        return _from_base64(given)
    if given is None or isinstance(given, float):  # pandas writes NaN for a missing value
        raise ImageError(f"received null, {EXPECTED}")
    return _from_array(given)


def _from_base64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data:
        raise ImageError(f"received the text {text[:20]!r}, which is no base64, {EXPECTED}")
    return data


def _from_array(given: Any) -> Pixels:
    try:
        values = np.asarray(given)
        if values.dtype == object:  # null among numbers, or rows of arrays
            values = np.asarray(values.tolist(), np.float64)
    except (TypeError, ValueError):
        raise ImageError(f"received rows of unequal length or no numbers, {EXPECTED}") from None
    if fault := _fault_of(values):
        raise ImageError(f"received {fault}, {EXPECTED}")
    return values.astype(np.uint8)


def _fault_of(values: npt.NDArray[Any]) -> str:
    """Say what is wrong with an array; nothing where it is an image."""
    if values.dtype.kind not in "iuf":
        return f"values of type {values.dtype}"
    if values.ndim != 3 or values.shape[2] != 3 or not values.size:
        return f"an array of shape {values.shape}"
    if not np.isfinite(values).all():
        return "null, NaN or infinite pixels"
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 255:
        return f"pixels from {low:g} to {high:g}"
    broken = values[values != np.rint(values)]
    if broken.size:
        return f"the pixel {float(broken[0]):g}, as of an image that was scaled"
    return ""
