"""Read images, and refuse all other files: the one place where bytes become pixels."""

import io
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from slimderm.components.common.errors import ImageError
from slimderm.components.dataset.colour import to_srgb
from slimderm.components.dataset.formats import FORMATS, depth_of, describe_formats, format_of
from slimderm.components.dataset.settings import MAX_MEGAPIXELS

Pixels = npt.NDArray[np.uint8]
MIN_SIDE = 7  # pixels; SSIM's window, so that every accepted image has every metric


def decode_image(data: bytes, *, max_megapixels: float = MAX_MEGAPIXELS) -> Pixels:
    """Decode a file of one of `slimderm.components.dataset.formats.FORMATS` to 8-bit RGB.

    The size is read from the header, and refused there, before any pixel is decoded.

    Parameters
    ----------
    data : bytes
        The whole file.
    max_megapixels : float
        Largest permitted number of pixels, in millions.

    Returns
    -------
    uint8 array of shape (H, W, 3)
        RGB in sRGB, turned as its EXIF orientation says. A colour profile is applied
        (`slimderm.components.dataset.colour`). A grayscale image has three equal channels, CMYK is
        converted, transparency is dropped; of several frames it is the first.

    Raises
    ------
    ImageError
        If the bytes are empty, no image, truncated, damaged, not 8 bits a channel, or too large,
        or if the colour profile does not describe the image.
    """
    if not data:
        raise ImageError(f"empty file: received 0 bytes, expected a {describe_formats()} image")
    own = format_of(data)
    if own is not None and own.read_size is not None:
        _check_size(*own.read_size(data), max_megapixels)
    if own is not None and own.decode is not None:
        return own.decode(data)
    if (depth := depth_of(data)) > 8:  # else cut to 8 in silence, or called no image
        raise ImageError(f"unsupported: received {depth} bits a channel, expected 8-bit RGB")
    try:
        with _open(data) as image:
            width, height = image.size
            _check_size(height, width, max_megapixels)
            if image.mode not in ("RGB", "L", "P", "RGBA", "LA", "CMYK"):
                raise ImageError(f"unsupported: received mode {image.mode}, expected 8-bit RGB")
            image.load()
            return np.asarray(to_srgb(ImageOps.exif_transpose(image)))
    except UnidentifiedImageError as error:
        raise ImageError(f"not an image: expected a {describe_formats()} file") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"too large: {error}") from error
    except (OSError, RuntimeError, SyntaxError, ValueError) as error:
        if isinstance(error, ImageError):
            raise
        cut = data.startswith(b"\xff\xd8") and b"\xff\xd9" not in data
        kind = "truncated" if cut or "truncated" in str(error) else "unreadable"
        raise ImageError(f"{kind}: {error}") from error


def _check_size(height: int, width: int, max_megapixels: float) -> None:
    if width * height > max_megapixels * 1e6:
        raise ImageError(
            f"too large: received {width}x{height} pixels, expected at most "
            f"{max_megapixels:g} megapixels (ingest.max_megapixels)"
        )


def _open(data: bytes) -> Image.Image:
    for found in FORMATS:
        if found.register is not None:
            found.register()
    names = [found.pillow for found in FORMATS if found.pillow is not None]
    with warnings.catch_warnings():
        # Pillow warns of images that our own limit refuses anyway.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(data), formats=names)


def read_image(path: Path | str, *, max_megapixels: float = MAX_MEGAPIXELS) -> Pixels:
    """Read an image file to 8-bit RGB.

    Parameters
    ----------
    path : path
        A file of one of `slimderm.components.dataset.formats.FORMATS`.
    max_megapixels : float
        Largest permitted number of pixels, in millions.

    Returns
    -------
    uint8 array of shape (H, W, 3)

    Raises
    ------
    ImageError
        As `decode_image`, or if the file cannot be opened; the message names the file.
    """
    try:
        return decode_image(Path(path).read_bytes(), max_megapixels=max_megapixels)
    except OSError as error:
        raise ImageError(f"{path}: cannot be opened ({error.strerror})") from error
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error


def resize(image: Pixels, *, size: tuple[int, int]) -> Pixels:
    """Resize by averaging areas, as suits shrinking.

    Parameters
    ----------
    image : uint8 array of shape (H, W, 3)
    size : tuple of int
        Height and width to reach.

    Returns
    -------
    uint8 array of shape (height, width, 3)
    """
    height, width = size
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def load_images(
    folder: Path,
    files: Sequence[str],
    *,
    size: tuple[int, int],
    progress: Callable[[int], object] | None = None,
) -> Pixels:
    """Read many images at one size.

    Parameters
    ----------
    folder : path
        What `files` are relative to.
    files : sequence of str
        N files.
    size : tuple of int
        Height and width.
    progress : callable, optional
        Called with the number of images read so far.

    Returns
    -------
    uint8 array of shape (N, height, width, 3)
    """
    loaded = np.empty((len(files), *size, 3), np.uint8)
    for index, file in enumerate(files):
        loaded[index] = resize(read_image(folder / file), size=size)
        if progress is not None:
            progress(index + 1)
    return loaded
