"""Spectrum: errors at low and at high frequency, correlation of amplitudes (paper, section 4.3)."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import fft

Spectrum = npt.NDArray[np.complex128]

FLAT = 1e-6  # a norm below it is the transform's rounding, not structure


def spectrum(gray: npt.NDArray[np.uint8]) -> Spectrum:
    """Orthonormal two-dimensional Fourier transform of a gray image (H, W), complex128 (H, W)."""
    return np.asarray(fft.fft2(gray.astype(np.float64), norm="ortho"), np.complex128)


@lru_cache(maxsize=8)
def _low(shape: tuple[int, int], radius: float) -> npt.NDArray[np.bool_]:
    down, right = (np.fft.fftfreq(side) / 0.5 for side in shape)  # 1 is the Nyquist frequency
    return np.asarray(np.hypot(down[:, np.newaxis], right) <= radius, np.bool_)


def band_errors(original: Spectrum, other: Spectrum, *, radius: float) -> tuple[float, float]:
    """Mean squared error of the low- and of the high-frequency coefficients, grey levels squared.

    Parameters
    ----------
    original, other : complex128 arrays of shape (H, W)
        From `spectrum`.
    radius : float
        Where low ends, as a share of the Nyquist frequency, in (0, 1).

    Returns
    -------
    low, high : float
        By Parseval, weighted by their bands' sizes they add up to the gray image's MSE. A band
        without coefficients has 0.
    """
    low = _low(original.shape, radius)
    difference = original - other
    energy = difference.real**2 + difference.imag**2
    return tuple(  # type: ignore[return-value]
        float(energy[band].mean()) if band.any() else 0.0 for band in (low, ~low)
    )


def spectral_correlation(original: Spectrum, other: Spectrum) -> float:
    """Pearson correlation of the amplitudes without the mean's, in [-1, 1]; 1 where all are equal.

    Where the amplitudes of one image alone do not vary, as those of a uniform one, it is 0. The
    coefficient of frequency zero is left out: it is the mean brightness, and would make any
    two images alike.
    """
    x, y = np.abs(original).ravel()[1:], np.abs(other).ravel()[1:]
    x, y = x - x.mean(), y - y.mean()
    norms = np.linalg.norm(x), np.linalg.norm(y)
    if min(norms) < FLAT:
        return float(max(norms) < FLAT)
    return float(x @ y / (norms[0] * norms[1]))
