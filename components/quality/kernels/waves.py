"""Sums over half a spectrum."""

import numpy as np
import numpy.typing as npt

from slimderm.components.quality.kernels.compiled import Floats, Waves, compiled


@compiled
def amplitude_sums(amplitudes: Floats, even: bool) -> tuple[float, float]:
    """Sum amplitudes and their squares over the whole spectrum less frequency zero.

    As `wave_sums` does of the other image's.
    """
    height, width = amplitudes.shape
    total, squares = 0.0, 0.0
    for i in range(height):
        for j in range(width):
            twice = 1.0 if j == 0 or (even and j == width - 1) else 2.0
            if i or j:
                total += twice * amplitudes[i, j]
                squares += twice * amplitudes[i, j] * amplitudes[i, j]
    return total, squares


@compiled
def wave_sums(
    original: Waves, amplitudes: Floats, change: Waves, low: npt.NDArray[np.bool_], even: bool
) -> tuple[float, float, float, float, float]:
    """Sum over a half spectrum (H, W // 2 + 1) what stands for the whole.

    `change` is the transform of what was added to the original, `amplitudes` the original's, `even`
    whether W is. Returned: the energy of the change in low frequencies and in all, and without
    frequency zero the other's amplitudes summed, squared and summed, times the original's and
    summed.
    """
    height, width = original.shape
    energy_low, energy, total, squares, products = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(height):
        for j in range(width):
            twice = 1.0 if j == 0 or (even and j == width - 1) else 2.0
            added = change[i, j]
            power = twice * (added.real * added.real + added.imag * added.imag)
            energy += power
            energy_low += power if low[i, j] else 0.0
            real = original[i, j].real + added.real
            imaginary = original[i, j].imag + added.imag
            power = real * real + imaginary * imaginary
            amplitude = np.sqrt(power)
            if i or j:
                total += twice * amplitude
                squares += twice * power
                products += twice * amplitude * amplitudes[i, j]
    return energy_low, energy, total, squares, products
