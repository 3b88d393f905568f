"""Spectrum: errors at low and at high frequency, correlation of amplitudes (paper, section 4.3)."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import fft

from slimderm.components.quality import kernels

Gray = npt.NDArray[np.uint8]

FLAT = 1e-12  # a variance of amplitudes below this share is the transform's rounding


@dataclass(frozen=True)
class Spectrum:
    """The transform of a gray image (H, W), as half a spectrum of shape (H, W // 2 + 1).

    Attributes
    ----------
    gray : uint8 array of shape (H, W)
    waves : complex128 array
        Not normalised; the other half mirrors it.
    amplitudes : float64 array
        Their absolute values.
    total, squares : float
        The amplitudes' sum, and that of their squares, over the whole spectrum less frequency zero.
    """

    gray: Gray
    waves: kernels.Waves
    amplitudes: kernels.Floats
    total: float
    squares: float


@dataclass(frozen=True)
class Comparison:
    """Two spectra compared.

    Attributes
    ----------
    mse_low, mse_high : float
        Mean squared error of the low- and of the high-frequency coefficients, grey levels squared.
        By Parseval, weighted by their bands' sizes they add up to the gray image's MSE. A band
        without coefficients has 0.
    correlation : float
        Pearson correlation of the amplitudes, in [-1, 1]. The coefficient of frequency zero is
        left out: it is the mean brightness, and would make any two images alike. Where neither
        image's amplitudes vary, as those of a uniform one, it is 1; where one's do not, 0.
    """

    mse_low: float
    mse_high: float
    correlation: float


def spectrum(gray: Gray) -> Spectrum:
    """Transform a gray image, uint8 (H, W)."""
    waves = np.asarray(fft.rfft2(gray.astype(np.float64)), np.complex128)
    amplitudes = np.abs(waves)
    sums = kernels.amplitude_sums(amplitudes, gray.shape[1] % 2 == 0)
    return Spectrum(gray, waves, amplitudes, *sums)


@lru_cache(maxsize=8)
def _low(shape: tuple[int, int], radius: float) -> tuple[npt.NDArray[np.bool_], int]:
    """Which frequencies of half a spectrum are low, and how many are in the whole."""
    down, right = (np.fft.fftfreq(side) / 0.5 for side in shape)  # 1 is the Nyquist frequency
    low = np.hypot(down[:, np.newaxis], right) <= radius
    half = np.ascontiguousarray(low[:, : shape[1] // 2 + 1])
    return half, int(low.sum())


def compare(original: Spectrum, other: Gray, *, radius: float) -> Comparison:
    """Compare a gray image with the original's spectrum.

    Parameters
    ----------
    original : Spectrum
    other : uint8 array of shape (H, W)
    radius : float
        Where low ends, as a share of the Nyquist frequency, in (0, 1).
    """
    shape = original.gray.shape
    # The transform is linear, and the difference is needed anyway.
    change = fft.rfft2(other.astype(np.float64) - original.gray)
    low, num_low = _low(shape, radius)
    even = shape[1] % 2 == 0
    sums = kernels.wave_sums(original.waves, original.amplitudes, change, low, even)
    energy_low, energy, total, squares, products = sums
    size = other.size
    num_high = size - num_low
    return Comparison(
        mse_low=energy_low / size / num_low,
        mse_high=(energy - energy_low) / size / num_high if num_high else 0.0,
        correlation=_correlation(original, (total, squares, products), size - 1),
    )


def _correlation(original: Spectrum, sums: tuple[float, float, float], size: int) -> float:
    total, squares, products = sums
    if size < 1:
        return 1.0
    own = squares - total**2 / size
    given = original.squares - original.total**2 / size
    flat = [own <= FLAT * (squares + size), given <= FLAT * (original.squares + size)]
    if any(flat):
        return float(all(flat))
    covariance = products - total * original.total / size
    return float(covariance / np.sqrt(own * given))
