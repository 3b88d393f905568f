"""Colour profiles: what a file's own profile says of its colours, brought to sRGB.

Pillow's ImageCms (Little CMS) computes. An image without a profile is taken as sRGB.
"""

import io
from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from slimderm.components.common.errors import ImageError

Change = Callable[[Image.Image], Image.Image]

# Colour space of a profile (ICC.1:2022, 7.2.6) to the modes of images that it can describe.
SPACES = {"RGB": ("RGB", "RGBA", "P"), "GRAY": ("L", "LA"), "CMYK": ("CMYK",)}
# Little CMS samples the curve of a grey profile too coarsely in the dark, unless told not to.
EXACT = {"GRAY": ImageCms.Flags.NOOPTIMIZE}
SAME = 2  # grey levels; a conversion that moves no colour further is rounding, and is left out
STEPS = 9  # grid of colours, a side, on which that is tried


def to_srgb(image: Image.Image) -> Image.Image:
    """Convert a loaded image of 8 bits a channel to RGB in sRGB.

    Transparency is dropped first. Rendering is relative colorimetric, with black point
    compensation, as browsers do it.

    Parameters
    ----------
    image : Image
        Of mode RGB, RGBA, P, L, LA or CMYK, its profile in ``info``.

    Returns
    -------
    Image of mode RGB

    Raises
    ------
    ImageError
        If the profile cannot be read, or describes another kind of image.
    """
    profile = image.info.get("icc_profile")
    if not profile:
        return image.convert("RGB")
    space, change = _read(bytes(profile))
    if image.mode not in SPACES[space]:
        raise ImageError(
            f"colour profile: received one of {space} in an image of mode {image.mode}, expected "
            "one that describes it; remove the profile if the image is sRGB"
        )
    plain = image.convert("L" if space == "GRAY" else space)
    return plain.convert("RGB") if change is None else change(plain)


@lru_cache(maxsize=32)
def _read(data: bytes) -> tuple[str, Change | None]:
    """Give a profile's colour space and the way to sRGB; None where that changes nothing."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        space = profile.profile.xcolor_space.strip()
        if space not in SPACES:
            raise ImageError(
                f"colour profile: received one of {space}, expected one of {', '.join(SPACES)}"
            )
        transform = ImageCms.buildTransform(
            profile,
            ImageCms.createProfile("sRGB"),
            "L" if space == "GRAY" else space,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION | EXACT.get(space, ImageCms.Flags.NONE),
        )
    except (OSError, ImageCms.PyCMSError) as error:
        raise ImageError(
            f"colour profile: received one of {len(data)} bytes that cannot be read, expected an "
            "ICC profile; remove it if the image is sRGB"
        ) from error
    change = partial(_apply, transform=transform)
    if space == "CMYK":
        return space, change
    samples = _samples(space)
    changed = change(samples)
    moved = np.asarray(changed, np.int16) - np.asarray(samples.convert("RGB"), np.int16)
    if np.abs(moved).max() <= SAME:
        return space, None
    if space == "GRAY":
        change = partial(_look_up, table=np.asarray(changed)[0])
    return space, change


def _samples(space: str) -> Image.Image:
    """Every grey level, or a grid of colours."""
    if space == "GRAY":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[np.newaxis])
    levels = np.linspace(0, 255, STEPS).astype(np.uint8)
    return Image.fromarray(np.stack(np.meshgrid(levels, levels, levels), -1).reshape(STEPS, -1, 3))


def _apply(image: Image.Image, *, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    changed = ImageCms.applyTransform(image, transform)
    if changed is None:  # only where it works in place, which nobody asked for
        raise ImageError("colour profile: received no image back from ImageCms")
    return changed


def _look_up(image: Image.Image, *, table: npt.NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(table[np.asarray(image)])
