"""Pixel against pixel: MSE, RMSE, PSNR, SSIM, share of changed pixels (paper, section 4.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from slimderm.components.quality.kernels.compiled import Counts
    from slimderm.components.quality.metrics.base import Image, Pair

PEAK = 255.0
PSNR_CEILING = 100.0  # dB; equal images have no finite PSNR, and a mean needs one
WINDOW = 7  # side of SSIM's square window, pixels
C1, C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2


def mse(pair: Pair) -> float:
    """Mean squared error over pixels and channels, grey levels squared, at least 0."""
    return pair.once(_mean_square)


def _mean_square(pair: Pair) -> float:
    import cv2

    original, other = pair.original.pixels, pair.other.pixels
    return float(cv2.norm(original, other, cv2.NORM_L2SQR) / original.size)


def rmse(pair: Pair) -> float:
    """Root of the mean squared error, grey levels."""
    import numpy as np

    return float(np.sqrt(mse(pair)))


def psnr(pair: Pair) -> float:
    """Peak signal-to-noise ratio in dB for a peak of 255, at most `PSNR_CEILING`.

    Equal images, whose ratio is infinite, get the ceiling, so that the mean over a dataset stays a
    number; it lies above what any differing 8-bit image of less than 1.5 megapixels can reach but
    for a handful of its values.
    """
    import numpy as np

    error = mse(pair)
    ratio = 10 * np.log10(PEAK**2 / error) if error else PSNR_CEILING
    return float(min(PSNR_CEILING, ratio))


def share_changed(pair: Pair) -> float:
    """Share in [0, 1] of pixels that differ in some channel by more than `changed_threshold`."""
    import cv2

    threshold = (pair.settings.changed_threshold,) * 3
    change = cv2.absdiff(pair.original.pixels, pair.other.pixels)
    within = cv2.inRange(change, (0, 0, 0), threshold)
    return float(1 - cv2.countNonZero(within) / within.size)


@dataclass(frozen=True)
class Moments:
    """An image of shape (H, W, 3) as rows (H, 3W), with sum and spread of each of its windows."""

    rows: npt.NDArray[np.uint8]
    sums: Counts
    spreads: Counts


def moments(image: Image) -> Moments:
    """Compute what SSIM needs of one image alone."""
    from slimderm.components.quality.kernels.windows import window_moments

    rows = image.pixels.reshape(len(image.pixels), -1)
    return Moments(rows, *window_moments(rows))


def ssim(pair: Pair) -> float:
    """Structural similarity in [-1, 1], 1 for equal images (Wang et al. 2004, equation 13).

    A uniform 7x7 window, sample covariance, data range 255, the mean over channels and over the
    pixels whose window lies inside: `skimage.metrics.structural_similarity`'s defaults. Both sides
    of the images are at least 7.
    """
    from slimderm.components.quality.kernels.windows import similarity

    x = pair.original.once(moments)
    y = pair.other.pixels.reshape(x.rows.shape)
    n = WINDOW**2
    scaled = C1 * n**2, C2 * n * (n - 1)
    return float(similarity(x.rows, y, x.sums, x.spreads, *scaled))
