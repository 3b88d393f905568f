"""Truncated singular value decomposition of images, channel by channel (paper, algorithm 1).

The left singular vectors of a matrix A are the eigenvectors of A·Aᵀ, which for 8-bit values is
exact. To truncate is to take away what the vectors behind the k-th explain: U·Uᵀ·A with U those
vectors. What is taken away is small, so single precision holds it to 1e-5 grey levels, and what
lies between two k is computed once for both.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.linalg
from numba import njit

from components.errors import ImageError, ParameterError

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Decomposition:
    """The singular values and vectors of each channel of one image; it serves every k.

    Attributes
    ----------
    image : uint8 array of shape (H, W, 3)
    vectors : float64 array of shape (3, R, R)
        Columns are the singular vectors along the shorter side, R = min(H, W): left ones where
        H <= W, else right ones.
    values : float64 array of shape (3, R)
        Singular values, descending.
    """

    image: Pixels
    vectors: Floats
    values: Floats

    def reconstruct(self, k: int) -> Pixels:
        """Keep the `k` largest singular values of each channel.

        Parameters
        ----------
        k : int
            At least 1; the shorter side or more gives the image itself.

        Returns
        -------
        uint8 array of shape (H, W, 3)
            Rounded and clipped to 0..255. Where the k-th and the next singular value are equal the
            truncation is not unique.

        Raises
        ------
        ParameterError
            If `k` is less than 1.
        """
        return next(self.truncations([k]))[1]

    def truncations(self, ranks: Sequence[int]) -> Iterator[tuple[int, Pixels]]:
        """Yield each of `ranks`, the largest first, with what `reconstruct` gives for it.

        All together cost hardly more than the smallest alone.

        Raises
        ------
        ParameterError
            If one is less than 1.
        """
        full = [is_full_rank(self.image.shape, k) for k in ranks]
        channels = _channels(self.image)  # (3, R, L)
        upper = channels.shape[1]
        removed = np.zeros(channels.shape, np.float32)
        small = None if all(full) else self._without_the_largest(channels)
        for k in sorted(ranks, reverse=True):
            if small is None or k >= channels.shape[1]:
                yield k, self.image.copy()
                continue
            for channel, vectors in enumerate(self.vectors):
                between = vectors[:, k:upper].astype(np.float32)  # (R, upper - k)
                removed[channel] += between @ (between.T @ small[channel])
            upper = k
            yield k, _subtract(self.image, removed, transposed=_is_tall(self.image))

    def _without_the_largest(self, channels: Pixels) -> Singles:
        """Take the first singular value away, of which the vectors behind it see nothing.

        It is mostly the mean, and large: single precision then rounds what is left less.
        """
        values = channels.astype(np.float64)
        first = self.vectors[:, :, :1]  # (3, R, 1)
        return (values - first @ (first.transpose(0, 2, 1) @ values)).astype(np.float32)

    def project(self, k: int) -> Floats:
        """Singular vectors along the longer side times their values: float64 (3, k, L)."""
        vectors = self.vectors[:, :, :k].transpose(0, 2, 1)
        return np.asarray(vectors @ _channels(self.image).astype(np.float64), np.float64)

    def explained_variance(self, k: int) -> float:
        """Share in [0, 1] of the energy that the `k` largest singular values hold.

        The squared singular values of the channels as they are, not centred, pooled over channels:
        by Eckart and Young one minus the relative squared error of the reconstruction before it is
        rounded (paper, section 4.3, "explained variance ratio"). A black image has share 1.
        """
        is_full_rank(self.image.shape, k)
        energy = self.values**2
        total = energy.sum()
        return float(energy[:, :k].sum() / total) if total else 1.0


@njit(cache=True)
def _subtract(image: Pixels, removed: Singles, transposed: bool) -> Pixels:
    """Round `removed` (3, R, L) and take it from the image (H, W, 3), within 0..255."""
    slim = np.empty_like(image)
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            for channel in range(3):
                value = removed[channel, j, i] if transposed else removed[channel, i, j]
                level = np.float32(image[i, j, channel]) - np.rint(value)
                slim[i, j, channel] = np.uint8(min(max(level, np.float32(0)), np.float32(255)))
    return slim


def _is_tall(image: Pixels) -> bool:
    height, width = image.shape[:2]
    return bool(height > width)


def _channels(image: Pixels) -> Pixels:
    """Channels as (3, R, L), the shorter side first."""
    return image.transpose((2, 1, 0) if _is_tall(image) else (2, 0, 1))


def is_full_rank(shape: tuple[int, ...], k: int) -> bool:
    """Whether `k` keeps every singular value of an image of `shape` (H, W, ...).

    Raises
    ------
    ParameterError
        If `k` is less than 1.
    """
    if k < 1:
        raise ParameterError(f"k: received {k}, expected at least 1 singular value")
    return k >= min(shape[:2])


def decompose(image: Pixels) -> Decomposition:
    """Decompose each channel of an image once, for all k.

    Parameters
    ----------
    image : uint8 array of shape (H, W, 3)

    Returns
    -------
    Decomposition

    Raises
    ------
    ImageError
        If the array has another shape or dtype.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ImageError(
            f"received an array of {image.dtype} {image.shape}, expected uint8 (H, W, 3)"
        )
    vectors, values = [], []
    for channel in _channels(image).astype(np.float64):  # (R, L)
        gram = (channel @ channel.T).T  # symmetric; the transpose is in LAPACK's order
        energies, found = scipy.linalg.eigh(
            gram, overwrite_a=True, check_finite=False, driver="evd"
        )
        values.append(np.sqrt(np.maximum(energies[::-1], 0)))
        vectors.append(found[:, ::-1])
    return Decomposition(np.ascontiguousarray(image), np.stack(vectors), np.stack(values))
