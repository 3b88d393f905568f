"""Tucker-2: a kernel as a core between two orthonormal matrices, one for each side's channels.

A kernel of p places has the shape (p, m, n): m input channels, n output channels. Its
decomposition is ``first`` (m, r), ``core`` (p, r, s), ``last`` (s, n), whose product comes near to
the kernel. ``None`` stands for a matrix that is not needed, where the rank is full.

References
----------
De Lathauwer, De Moor, Vandewalle, "On the best rank-1 and rank-(R1, ..., RN) approximation of
higher-order tensors", SIAM J. Matrix Anal. Appl. 21 (2000) (`hooi`); Minster, Saibaba, Kilmer,
"Randomized algorithms for low-rank tensor decompositions in the Tucker format", arXiv:1905.07311
(`randomised`); Kim et al., arXiv:1511.06530 (convolutions).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from slimderm.components.common.checks import look_up

Array = npt.NDArray[np.float64]
SWEEPS, SETTLED = 20, 1e-5  # of HOOI, at most; of the squared error, in a sweep
OVERSAMPLING, POWER, REFIT = 10, 4, 2  # of a sketch: further columns; its iterations


class Tucker2(NamedTuple):
    """The parts of one kernel."""

    first: Array | None
    core: Array
    last: Array | None

    def product(self) -> Array:
        """Return the approximated kernel, of shape (p, m, n)."""
        whole = self.core if self.last is None else self.core @ self.last
        return whole if self.first is None else self.first @ whole


def spectra(kernel: Array) -> tuple[Array, Array]:
    """Return the squared singular values of both unfoldings, the largest first."""
    places, inputs, outputs = kernel.shape
    full = min(inputs, places * outputs), min(outputs, places * inputs)
    grams = _gram_inputs(kernel), _gram_outputs(kernel)
    one, two = (
        np.maximum(np.linalg.eigvalsh(gram)[::-1][:rank], 0)
        for gram, rank in zip(grams, full, strict=True)
    )
    return one, two


def hooi(kernel: Array, ranks: tuple[int, int], seed: int = 0) -> Tucker2:
    """Fit each side to what the other keeps, by turns, from the higher-order SVD on."""
    first_rank, last_rank = ranks
    last = _leading(_gram_outputs(kernel), last_rank)  # (n, s)
    energy = lost = float((kernel**2).sum())
    first = _leading(_gram_inputs(kernel), first_rank)  # (m, r)
    for _ in range(SWEEPS):
        last = _leading(_gram_outputs(first.T @ kernel), last_rank)
        half = kernel @ last  # (p, m, s)
        first = _leading(_gram_inputs(half), first_rank)
        before, lost = lost, energy - float(((first.T @ half) ** 2).sum())
        if before - lost <= SETTLED * before:
            break
    return Tucker2(first, first.T @ kernel @ last, last.T)


def randomised(kernel: Array, ranks: tuple[int, int], seed: int = 0) -> Tucker2:
    """Find each side in a random sketch, the second in what the first has left of the kernel.

    The sketch is of the unfolding's Gram matrix, which is small: a kernel has many more columns
    than rows. In the end the first side is fitted once more, to what the second keeps.
    """
    generator = np.random.default_rng(seed)
    _, inputs, outputs = kernel.shape
    start = generator.standard_normal((outputs, ranks[1] + OVERSAMPLING))
    last = _sketched(_gram_outputs(kernel), start, ranks[1], POWER)  # (n, s)
    start = generator.standard_normal((inputs, ranks[0] + OVERSAMPLING))
    first = _sketched(_gram_inputs(kernel @ last), start, ranks[0], POWER)  # (m, r)
    start = np.hstack([last, generator.standard_normal((outputs, OVERSAMPLING))])
    last = _sketched(_gram_outputs(first.T @ kernel), start, ranks[1], REFIT)
    return Tucker2(first, first.T @ kernel @ last, last.T)


ALGORITHMS: dict[str, Callable[[Array, tuple[int, int], int], Tucker2]] = {
    "randomised": randomised,
    "hooi": hooi,
}


def get(name: str) -> Callable[[Array, tuple[int, int], int], Tucker2]:
    """Look up an algorithm by its name.

    Raises
    ------
    ParameterError
        When no algorithm has that name; the message lists the names.
    """
    return look_up("algorithm", name, ALGORITHMS)


def _gram_inputs(kernel: Array) -> Array:
    rows = kernel.transpose(1, 0, 2).reshape(kernel.shape[1], -1)
    return rows @ rows.T


def _gram_outputs(kernel: Array) -> Array:
    rows = kernel.reshape(-1, kernel.shape[-1])
    return rows.T @ rows


def _leading(gram: Array, rank: int) -> Array:
    """Return the eigenvectors of the largest eigenvalues, in columns."""
    return np.linalg.eigh(gram)[1][:, ::-1][:, :rank]


def _sketched(gram: Array, start: Array, rank: int, power: int) -> Array:
    """Return nearly the same from some directions on, by subspace iteration."""
    basis = start[:, : len(gram)]
    for _ in range(power):
        basis = np.linalg.qr(gram @ basis)[0]
    return basis @ _leading(basis.T @ gram @ basis, rank)
