"""What a picture looks like beside those that a network was trained on."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import ImageError
from slimderm.components.dataset.images import resize

Pixels = npt.NDArray[np.uint8]

LONG_SIDE = 160  # pixels of the picture that is measured
# Set on 1,500 images of HAM10000; how many of them each names stands in docs/kiosk.md.
DARK, BRIGHT = 80, 215  # mean brightness
BLURRED = 6  # variance of the Laplacian of brightness
SKIN = 0.2  # share of pixels of a skin's or a lesion's colour
LONG = 2.2  # times the short side
WARM, LEAST_RED = 10, 40  # how far red is above the least channel, and its least value


@dataclass(frozen=True)
class Look:
    """A picture in a few numbers.

    Attributes
    ----------
    brightness : float
        Mean, 0 to 255.
    sharpness : float
        Variance of the Laplacian of brightness, on a picture of `LONG_SIDE`.
    skin : float
        Share of pixels that are red before anything else.
    height, width : int
        Pixels, as it was given.
    """

    brightness: float
    sharpness: float
    skin: float
    height: int
    width: int


def look_of(image: Pixels) -> Look:
    """Measure a picture.

    Parameters
    ----------
    image : uint8 array of shape (H, W, 3)
        RGB.

    Raises
    ------
    ImageError
        If it is no such array.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ImageError(
            f"image: received {image.dtype} of shape {image.shape}, expected uint8 of shape "
            "(height, width, 3)"
        )
    height, width = image.shape[:2]
    small = shrunk(image)
    grey = cv2.cvtColor(small.astype(np.float32), cv2.COLOR_RGB2GRAY)  # (h, w)
    inner = cv2.Laplacian(grey, cv2.CV_32F)[1:-1, 1:-1]
    channels = small.astype(np.int16)
    red = channels[..., 0]
    is_red = (red == channels.max(axis=2)) & (red - channels.min(axis=2) >= WARM)
    return Look(
        float(grey.mean()),
        float(inner.var()) if inner.size else 0.0,
        float((is_red & (red >= LEAST_RED)).mean()),
        height,
        width,
    )


def shrunk(image: Pixels) -> Pixels:
    """Make a picture's long side `LONG_SIDE` pixels where it is longer: (h, w, 3) uint8."""
    height, width = image.shape[:2]
    scale = min(1.0, LONG_SIDE / max(height, width))
    return resize(image, size=(max(1, round(height * scale)), max(1, round(width * scale))))


def warnings_of(look: Look, size: tuple[int, int]) -> list[str]:
    """Say how a picture differs from those that the network knows.

    Parameters
    ----------
    look : Look
    size : tuple of int
        Height and width that the network takes.

    Returns
    -------
    list of str
        Sentences; empty where nothing is odd.
    """
    sides = (look.height, look.width)
    said = {
        f"the picture is very dark (mean brightness {look.brightness:.0f} of 255)": (
            look.brightness < DARK
        ),
        f"the picture is very bright (mean brightness {look.brightness:.0f} of 255)": (
            look.brightness > BRIGHT
        ),
        "the picture is blurred": look.sharpness < BLURRED,
        f"little of the picture has the colour of skin ({look.skin:.0%})": look.skin < SKIN,
        f"the picture is smaller, {look.width}×{look.height} pixels, than the network sees, "
        f"{size[1]}×{size[0]}": look.height < size[0] or look.width < size[1],
        f"the picture is oddly long, {look.width}×{look.height} pixels": (
            max(sides) > LONG * min(sides)
        ),
    }
    return [sentence for sentence, holds in said.items() if holds]
