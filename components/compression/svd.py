"""Truncated singular value decomposition of images, channel by channel (paper, algorithm 1).

The left singular vectors of a matrix A are the eigenvectors of A·Aᵀ, which for 8-bit values is
exact. To truncate is to take away what the vectors behind the k-th explain: U·Uᵀ·A with U those
vectors. What is taken away is small, so single precision holds it to 1e-5 grey levels, and what
lies between two k is computed once for both.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import scipy.linalg
from numba import njit

from slimderm.components.common.errors import ImageError, ParameterError

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Decomposition:
    """The singular values and vectors of each channel of one image; it serves every k.

    Attributes
    ----------
    image : uint8 array of shape (H, W, 3)
    vectors : three float64 arrays of shape (R, R)
        Columns are the singular vectors along the shorter side, R = min(H, W): left ones where
        H <= W, else right ones.
    values : float64 array of shape (3, R)
        Singular values, descending.
    """

    image: Pixels
    vectors: tuple[Floats, ...]
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
        levels = _channels(self.image)  # (3, R, L)
        small = None if all(full) else self._without_the_largest(levels)
        removed, slim = np.zeros(levels.shape, np.float32), np.empty_like(levels)
        upper = levels.shape[1]
        for k in sorted(ranks, reverse=True):
            if small is None or k >= levels.shape[1]:
                yield k, self.image.copy()
                continue
            for channel, vectors in enumerate(self.vectors):
                between = vectors[:, k:upper].astype(np.float32)  # (R, upper - k)
                removed[channel] += between @ (between.T @ small[channel])
            upper = k
            _subtract(levels, removed, slim)
            yield k, _image(slim, tall=_is_tall(self.image))

    def _without_the_largest(self, levels: Pixels) -> Singles:
        """Take the first singular value away, of which the vectors behind it see nothing.

        It is mostly the mean, and large: single precision then rounds what is left less.
        """
        small = np.empty(levels.shape, np.float32)
        for channel, vectors in enumerate(self.vectors):
            first = np.ascontiguousarray(vectors[:, 0])
            _deflate(levels[channel], first, first @ levels[channel], small[channel])
        return small

    def project(self, k: int) -> Floats:
        """Singular vectors along the longer side times their values: float64 (3, k, L)."""
        pairs = zip(self.vectors, _channels(self.image), strict=True)
        return np.stack([vectors[:, :k].T @ levels for vectors, levels in pairs])

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


@njit(cache=True, error_model="numpy")
def _deflate(levels: Pixels, left: Floats, right: Floats, small: Singles) -> None:
    """Write ``levels - outer(left, right)`` into `small`; all but `left` (R) are (R, L) or (L)."""
    for i in range(levels.shape[0]):
        for j in range(levels.shape[1]):
            small[i, j] = levels[i, j] - left[i] * right[j]


@njit(cache=True, error_model="numpy")
def _subtract(levels: Pixels, removed: Singles, slim: Pixels) -> None:
    """Round `removed`, take it from `levels` and write into `slim`, within 0..255; (3, R, L)."""
    for channel in range(levels.shape[0]):
        for i in range(levels.shape[1]):
            for j in range(levels.shape[2]):
                level = np.float32(levels[channel, i, j]) - np.rint(removed[channel, i, j])
                slim[channel, i, j] = np.uint8(min(max(level, np.float32(0)), np.float32(255)))


def _image(channels: Pixels, *, tall: bool) -> Pixels:
    """Turn (3, R, L) back into (H, W, 3)."""
    return np.asarray(cv2.merge([c.T if tall else c for c in channels]), np.uint8)


def _is_tall(image: Pixels) -> bool:
    height, width = image.shape[:2]
    return bool(height > width)


def _channels(image: Pixels) -> Pixels:
    """Channels as (3, R, L), the shorter side first."""
    return np.ascontiguousarray(image.transpose((2, 1, 0) if _is_tall(image) else (2, 0, 1)))


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
    for channel in _channels(image):
        # It is symmetric, and its transpose in LAPACK's order.
        energies, found = scipy.linalg.eigh(
            _gram(channel).T, overwrite_a=True, check_finite=False, driver="evd"
        )
        values.append(np.sqrt(np.maximum(energies[::-1], 0)))
        vectors.append(found[:, ::-1])
    return Decomposition(np.ascontiguousarray(image), tuple(vectors), np.stack(values))


def _gram(levels: Pixels) -> Floats:
    """Give A·Aᵀ of uint8 (R, L), exactly.

    Centred at 128 the sums of up to 1024 products stay below 2²⁴, so single precision holds them.
    """
    length = levels.shape[1]
    if length > 1024:
        whole = levels.astype(np.float64)
        return whole @ whole.T
    centred = levels.astype(np.float32) - np.float32(128)
    sums = 128 * levels.sum(axis=1, dtype=np.float64)
    shift = sums[:, np.newaxis] + sums - 128**2 * length
    return np.asarray((centred @ centred.T) + shift, np.float64)
