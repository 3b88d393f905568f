"""All metrics of one image against its original, the original's part computed once."""

import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import ImageError
from slimderm.components.quality.metrics import METRICS, Image, Pair
from slimderm.components.quality.metrics.fidelity import WINDOW
from slimderm.components.quality.settings import QualitySettings

Pixels = npt.NDArray[np.uint8]


class Reference:
    """An original, ready to be compared with.

    Parameters
    ----------
    original : uint8 array of shape (H, W, 3)
        Both sides at least 7, SSIM's window.
    settings : QualitySettings

    Raises
    ------
    ImageError
        If the array has another dtype or shape, or is too small.
    """

    def __init__(self, original: Pixels, settings: QualitySettings) -> None:
        if original.dtype != np.uint8 or original.ndim != 3 or original.shape[2] != 3:
            raise ImageError(
                f"received an array of {original.dtype} {original.shape}, expected uint8 (H, W, 3)"
            )
        if min(original.shape[:2]) < WINDOW:
            raise ImageError(
                f"received {original.shape[0]}x{original.shape[1]} pixels, expected at least "
                f"{WINDOW}x{WINDOW}, the window of SSIM"
            )
        self.original, self.settings = Image(np.ascontiguousarray(original)), settings

    def compare(self, other: Pixels) -> dict[str, float]:
        """Give every metric of `METRICS` for another image of the same shape.

        Parameters
        ----------
        other : uint8 array of shape (H, W, 3)

        Returns
        -------
        dict of str to float

        Raises
        ------
        ImageError
            If the shapes or dtypes differ.
        """
        shape = self.original.pixels.shape
        if other.shape != shape or other.dtype != np.uint8:
            raise ImageError(
                f"received an array of {other.dtype} {other.shape}, expected uint8 {shape} as the "
                "original's"
            )
        pair = Pair(self.original, Image(np.ascontiguousarray(other)), self.settings)
        return {name: metric.compute(pair) for name, metric in METRICS.items()}
