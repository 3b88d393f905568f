"""How many singular values of a noisy matrix are more than noise.

References
----------
Nakajima, Sugiyama, Babacan, Tomioka, "Global analytic solution of fully-observed variational
Bayesian matrix factorization", JMLR 14 (2013): the free energy of the noise variance in section
4.4, of which the rank follows. Kim et al., arXiv:1511.06530, choose Tucker's ranks so.
"""

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq, minimize_scalar

Numbers = npt.NDArray[np.float64]
GRID = 200  # variances that are looked at; the energy has several minima
TINY = 1e-14  # of the largest squared singular value: below is rounding


def evbmf_rank(squares: Numbers, shape: tuple[int, int]) -> int:
    """Return the rank that empirical variational Bayes gives a matrix of unknown noise.

    Parameters
    ----------
    squares : float64 array of shape (min(shape),)
        Squared singular values, the largest first.
    shape : tuple of int
        Of the matrix.

    Returns
    -------
    int
        From 0, where all is noise, to below ``min(shape)``.
    """
    if squares[0] <= 0:
        return 0
    rows, columns = min(shape), max(shape)
    alpha = rows / columns
    edge = _edge(alpha)
    scaled = np.maximum(squares, TINY * squares[0]) / columns
    variance = _noise(scaled, alpha, edge)
    return int((scaled > edge * variance).sum())


def _edge(alpha: float) -> float:
    """Return the square of a singular value, in units of columns × noise, that is no noise."""

    def phi(z: float) -> float:
        return float(np.log1p(z) / z - 0.5)

    zero = brentq(phi, 1.0, 10.0)
    tau = (
        zero
        if alpha == 1
        else brentq(lambda t: phi(t) + phi(t / alpha), alpha * zero, zero, xtol=1e-15)
    )
    return float((1 + tau) * (1 + alpha / tau))


def _noise(scaled: Numbers, alpha: float, edge: float) -> float:
    """Return the noise variance of the least free energy."""
    rows = len(scaled)
    most = min(int(np.ceil(rows / (1 + alpha))) - 1, rows - 1)  # of the rank
    rest = scaled[most:]
    low, high = np.log(max(rest[0] / edge, rest.mean())), np.log(scaled.mean())
    if low >= high:
        return float(np.exp(high))

    def energy(logarithm: float) -> float:
        return _energy(scaled / np.exp(logarithm), alpha, edge)

    grid = np.linspace(low, high, GRID)
    best = int(np.argmin([energy(point) for point in grid]))
    around = grid[max(best - 1, 0)], grid[min(best + 1, GRID - 1)]
    finer = minimize_scalar(energy, bounds=around, method="bounded")
    return float(np.exp(finer.x if finer.fun < energy(grid[best]) else grid[best]))


def _energy(ratios: Numbers, alpha: float, edge: float) -> float:
    """Return the free energy, but for constants, of squared singular values over the noise."""
    signal = ratios[ratios > edge]
    middle = signal - (1 + alpha)
    tau = (middle + np.sqrt(middle**2 - 4 * alpha)) / 2
    gained = np.log1p(tau) + alpha * np.log1p(tau / alpha) - tau
    return float((ratios - np.log(ratios)).sum() + gained.sum())
