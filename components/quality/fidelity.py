"""Pixel against pixel: MSE, RMSE, PSNR, SSIM, share of changed pixels (paper, section 4.3)."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

PEAK = 255.0
PSNR_CEILING = 100.0  # dB; equal images have no finite PSNR, and a mean needs one
WINDOW = 7  # side of SSIM's square window, pixels
C1, C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2


def mse(original: Pixels, other: Pixels) -> float:
    """Mean squared error over pixels and channels, grey levels squared, at least 0.

    Parameters
    ----------
    original, other : uint8 arrays of one shape (H, W, 3)
    """
    return float(cv2.norm(original, other, cv2.NORM_L2SQR) / original.size)


def rmse(original: Pixels, other: Pixels) -> float:
    """Root of the mean squared error, grey levels."""
    return float(np.sqrt(mse(original, other)))


def psnr(original: Pixels, other: Pixels) -> float:
    """Peak signal-to-noise ratio in dB for a peak of 255, at most `PSNR_CEILING`.

    Equal images, whose ratio is infinite, get the ceiling, so that the mean over a dataset stays a
    number; it lies above what any differing 8-bit image of less than 1.5 megapixels can reach but
    for a handful of its values.
    """
    error = mse(original, other)
    return float(min(PSNR_CEILING, 10 * np.log10(PEAK**2 / error))) if error else PSNR_CEILING


def share_changed(original: Pixels, other: Pixels, *, threshold: int) -> float:
    """Share in [0, 1] of pixels that differ by more than `threshold` levels in some channel."""
    changed = (cv2.absdiff(original, other) > threshold).any(axis=2)
    return float(changed.mean())


@dataclass(frozen=True)
class Moments:
    """Local mean and variance of an image, (H, W, 3) float64, and the image itself as floats."""

    values: Floats
    mean: Floats
    variance: Floats


def _box(values: Floats) -> Floats:
    return np.asarray(cv2.boxFilter(values, -1, (WINDOW, WINDOW)), np.float64)


def moments(image: Pixels) -> Moments:
    """Compute what SSIM needs of one image alone; the variance is the sample's."""
    values = image.astype(np.float64)
    mean = _box(values)
    sample = WINDOW**2 / (WINDOW**2 - 1)
    return Moments(values, mean, sample * (_box(values * values) - mean * mean))


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
    y = moments(other)
    sample = WINDOW**2 / (WINDOW**2 - 1)
    covariance = sample * (_box(x.values * y.values) - x.mean * y.mean)
    above = (2 * x.mean * y.mean + C1) * (2 * covariance + C2)
    below = (x.mean**2 + y.mean**2 + C1) * (x.variance + y.variance + C2)
    edge = WINDOW // 2
    return float((above / below)[edge:-edge, edge:-edge].mean())
