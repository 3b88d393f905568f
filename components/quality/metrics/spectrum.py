"""Spectrum: errors at low and at high frequency, correlation of amplitudes (paper, section 4.3)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from slimderm.components.quality.kernels.compiled import Floats, Waves
    from slimderm.components.quality.metrics.base import Image, Pair

FLAT = 1e-12  # a variance of amplitudes below this share is the transform's rounding


def mse_low(pair: Pair) -> float:
    """Mean squared error of the low-frequency coefficients, grey levels squared.

    By Parseval, `mse_low` and `mse_high`, weighted by their bands' sizes, add up to the gray
    image's MSE. Low ends at ``low_frequency_radius``. A band without coefficients has 0.
    """
    return pair.once(compare).mse_low


def mse_high(pair: Pair) -> float:
    """Mean squared error of the high-frequency coefficients, as `mse_low`."""
    return pair.once(compare).mse_high


def correlation(pair: Pair) -> float:
    """Pearson correlation of the amplitudes, in [-1, 1].

    The coefficient of frequency zero is left out: it is the mean brightness, and would make any two
    images alike. Where neither image's amplitudes vary, as those of a uniform one, it is 1; where
    one's do not, 0.
    """
    return pair.once(compare).correlation


@dataclass(frozen=True)
class Spectrum:
    """The transform of a gray image (H, W), as half a spectrum of shape (H, W // 2 + 1).

    Attributes
    ----------
    waves : complex128 array
        Not normalised; the other half mirrors it.
    amplitudes : float64 array
        Their absolute values.
    total, squares : float
        The amplitudes' sum, and that of their squares, over the whole spectrum less frequency zero.
    """

    waves: Waves
    amplitudes: Floats
    total: float
    squares: float


@dataclass(frozen=True)
class SpectrumDifference:
    """Two spectra compared: the three metrics of this file."""

    mse_low: float
    mse_high: float
    correlation: float


def spectrum(image: Image) -> Spectrum:
    """Transform the gray image."""
    import numpy as np
    from scipy import fft

    from slimderm.components.quality.kernels.waves import amplitude_sums

    gray = image.gray
    waves = np.asarray(fft.rfft2(gray.astype(np.float64)), np.complex128)
    amplitudes = np.abs(waves)
    sums = amplitude_sums(amplitudes, gray.shape[1] % 2 == 0)
    return Spectrum(waves, amplitudes, *sums)


@lru_cache(maxsize=8)
def _low(shape: tuple[int, int], radius: float) -> tuple[npt.NDArray[np.bool_], int]:
    """Which frequencies of half a spectrum are low, and how many are in the whole."""
    import numpy as np

    down, right = (np.fft.fftfreq(side) / 0.5 for side in shape)  # 1 is the Nyquist frequency
    low = np.hypot(down[:, np.newaxis], right) <= radius
    half = np.ascontiguousarray(low[:, : shape[1] // 2 + 1])
    return half, int(low.sum())


def compare(pair: Pair) -> SpectrumDifference:
    """Compare two gray images by their spectra."""
    import numpy as np
    from scipy import fft

    from slimderm.components.quality.kernels.waves import wave_sums

    original, gray, other = pair.original.once(spectrum), pair.original.gray, pair.other.gray
    # The transform is linear, and the difference is needed anyway.
    change = fft.rfft2(other.astype(np.float64) - gray)
    low, num_low = _low(gray.shape, pair.settings.low_frequency_radius)
    even = gray.shape[1] % 2 == 0
    sums = wave_sums(original.waves, original.amplitudes, change, low, even)
    energy_low, energy, total, squares, products = sums
    size = other.size
    num_high = size - num_low
    return SpectrumDifference(
        mse_low=energy_low / size / num_low,
        mse_high=(energy - energy_low) / size / num_high if num_high else 0.0,
        correlation=_correlation(original, (total, squares, products), size - 1),
    )


def _correlation(original: Spectrum, sums: tuple[float, float, float], size: int) -> float:
    import numpy as np

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
