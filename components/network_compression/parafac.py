"""CP: a kernel as a sum of products of four vectors, by alternating least squares.

References
----------
Lebedev et al., "Speeding-up convolutional neural networks using fine-tuned CP-decomposition",
arXiv:1412.6553; Kolda, Bader, "Tensor decompositions and applications", SIAM Review 51 (2009).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
SWEEPS, SETTLED = 100, 1e-5  # at most; of the squared error, in a sweep
RIDGE = 1e-10  # of the mean diagonal: directions that are alike do not run away


class Components(NamedTuple):
    """Vectors in columns, R each: the kernel is near to the sum over R of their outer products."""

    column: Array  # (height, R)
    row: Array  # (width, R)
    inputs: Array  # (m, R)
    outputs: Array  # (n, R)

    def product(self) -> Array:
        """Return the approximated kernel, of shape (height, width, m, n)."""
        windows = self.column[:, None, None] * self.row[:, None] * self.inputs
        return windows @ self.outputs.T


def decompose(kernel: Array, rank: int, seed: int = 0) -> Components:
    """Fit each of the four to the others, by turns, from random vectors on.

    Parameters
    ----------
    kernel : float64 array of shape (height, width, m, n)
        Of a convolution.
    rank : int
        R.
    seed : int
        Of the start.
    """
    generator = np.random.default_rng(seed)
    height, width, inputs, outputs = kernel.shape
    one, two, three = (generator.standard_normal((size, rank)) for size in (height, width, inputs))
    energy = lost = float((kernel**2).sum())
    for _ in range(SWEEPS):
        windows = one[:, None, None] * two[:, None] * three  # (height, width, m, R)
        products = kernel.reshape(-1, outputs).T @ windows.reshape(-1, rank)
        four = _solved(products, one, two, three)
        left = kernel @ four  # (height, width, m, R)
        three = _unit(_solved(np.einsum("hwmr,hr,wr->mr", left, one, two), one, two, four))
        places = np.einsum("hwmr,mr->hwr", left, three)
        one = _unit(_solved(np.einsum("hwr,wr->hr", places, two), two, three, four))
        fit = np.einsum("hwr,hr->wr", places, one)
        two = _solved(fit, one, three, four)
        grams = (one.T @ one) * (two.T @ two) * (three.T @ three) * (four.T @ four)
        before, lost = lost, max(energy - 2 * float((fit * two).sum()) + float(grams.sum()), 0.0)
        if before - lost <= SETTLED * before:
            break
    return _alike(Components(one, two, three, four))


def _solved(products: Array, *others: Array) -> Array:
    """Return the least-squares factor, from its products with the kernel and the other factors."""
    gram = np.prod([other.T @ other for other in others], axis=0)
    gram += RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram)) + 1e-300 * np.eye(len(gram))
    return np.linalg.solve(gram, products.T).T


def _unit(factor: Array) -> Array:
    """Return columns of length 1; the factor that is fitted next takes up their lengths."""
    lengths = np.linalg.norm(factor, axis=0)
    return factor / np.where(lengths > 0, lengths, 1)


def _alike(found: Components) -> Components:
    """Share the lengths of columns alike among the four, for training."""
    lengths = np.prod([np.linalg.norm(factor, axis=0) for factor in found], axis=0)
    return Components(*(_unit(factor) * lengths**0.25 for factor in found))
