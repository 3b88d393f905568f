"""Pixel against pixel: MSE, RMSE, PSNR, SSIM, share of changed pixels (paper, section 4.3)."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from slimderm.components.quality import kernels

Pixels = npt.NDArray[np.uint8]

PEAK = 255.0
PSNR_CEILING = 100.0  # dB; equal images have no finite PSNR, and a mean needs one
WINDOW = 7  # side of SSIM's square window, pixels
C1, C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2


@dataclass(frozen=True)
class Differences:
    """What two uint8 images of one shape (H, W, 3) differ by.

    Attributes
    ----------
    mse : float
        Mean squared error over pixels and channels, grey levels squared, at least 0.
    share_changed : float
        Share in [0, 1] of pixels that differ by more than the threshold in some channel.
    """

    mse: float
    share_changed: float

    @property
    def rmse(self) -> float:
        """Root of the mean squared error, grey levels."""
        return float(np.sqrt(self.mse))

    @property
    def psnr(self) -> float:
        """Peak signal-to-noise ratio in dB for a peak of 255, at most `PSNR_CEILING`.

        Equal images, whose ratio is infinite, get the ceiling, so that the mean over a dataset
        stays a number; it lies above what any differing 8-bit image of less than 1.5 megapixels
        can reach but for a handful of its values.
        """
        ratio = 10 * np.log10(PEAK**2 / self.mse) if self.mse else PSNR_CEILING
        return float(min(PSNR_CEILING, ratio))


def differences(original: Pixels, other: Pixels, *, threshold: int) -> Differences:
    """Compare pixel with pixel; `threshold` in grey levels says what counts as changed."""
    squares = cv2.norm(original, other, cv2.NORM_L2SQR)
    within = cv2.inRange(cv2.absdiff(original, other), (0, 0, 0), (threshold,) * 3)
    return Differences(squares / original.size, 1 - cv2.countNonZero(within) / within.size)


@dataclass(frozen=True)
class Moments:
    """An image of shape (H, W, 3) as rows (H, 3W), with sum and spread of each of its windows."""

    rows: Pixels
    sums: kernels.Counts
    spreads: kernels.Counts


def moments(image: Pixels) -> Moments:
    """Compute what SSIM needs of one image alone."""
    rows = np.ascontiguousarray(image).reshape(len(image), -1)
    return Moments(rows, *kernels.window_moments(rows))


def ssim(original: Pixels | Moments, other: Pixels) -> float:
    """Structural similarity in [-1, 1], 1 for equal images (Wang et al. 2004, equation 13).

    A uniform 7x7 window, sample covariance, data range 255, the mean over channels and over the
    pixels whose window lies inside: `skimage.metrics.structural_similarity`'s defaults.

    Parameters
    ----------
    original : uint8 array of shape (H, W, 3), or its `Moments`
        Both sides at least 7.
    other : uint8 array of shape (H, W, 3)
    """
    x = original if isinstance(original, Moments) else moments(original)
    y = np.ascontiguousarray(other).reshape(x.rows.shape)
    n = WINDOW**2
    scaled = C1 * n**2, C2 * n * (n - 1)
    return float(kernels.similarity(x.rows, y, x.sums, x.spreads, *scaled))
