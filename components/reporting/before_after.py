"""One image before and after compression, side by side, with what was lost."""

import numpy as np
import numpy.typing as npt

from slimderm.components.reporting.embedding import pixels_address
from slimderm.components.reporting.opening import Picture

Pixels = npt.NDArray[np.uint8]
SIZE = (270, 360)  # height and width of what is shown, in pixels
GAIN = 8  # times that differences are shown
GREY = 128


def before_and_after(
    original: Pixels, stored: Pixels, *, name: str, before: str, after: str
) -> list[Picture]:
    """Show the middle of an image pixel by pixel, as it came, as it is stored, and the difference.

    Parameters
    ----------
    original, stored : uint8 array of shape (H, W, 3)
        RGB.
    name : str
        Of the image.
    before, after : str
        What is to be said of each.

    Returns
    -------
    list of Picture
        Three. In the difference grey means none.
    """
    one, other = (middle(pixels) for pixels in (original, stored))
    lost = GREY + GAIN * (other.astype(np.int16) - one)
    return [
        Picture(pixels_address(one), f"{name} as it came", before),
        Picture(pixels_address(other), f"{name} as it is stored", after),
        Picture(
            pixels_address(np.clip(lost, 0, 255).astype(np.uint8)),
            f"{name}: stored less original, {GAIN} times as strong",
            f"the difference, {GAIN} times as strong; grey is none",
        ),
    ]


def middle(pixels: Pixels) -> Pixels:
    """Cut the middle out, at most `SIZE`; a smaller image is left whole."""
    (height, width), (wanted_height, wanted_width) = pixels.shape[:2], SIZE
    top, left = max(0, (height - wanted_height) // 2), max(0, (width - wanted_width) // 2)
    return pixels[top : top + wanted_height, left : left + wanted_width]
