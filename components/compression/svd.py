"""Truncated singular value decomposition of images, channel by channel (paper, algorithm 1)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.errors import ImageError, ParameterError

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Decomposition:
    """The singular value decomposition of each channel of one image; it serves every k.

    Attributes
    ----------
    image : uint8 array of shape (H, W, 3)
    left : float64 array of shape (3, H, R)
        Left singular vectors, R = min(H, W).
    values : float64 array of shape (3, R)
        Singular values, descending.
    right : float64 array of shape (3, R, W)
        Right singular vectors, transposed.
    """

    image: Pixels
    left: Floats
    values: Floats
    right: Floats

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
        if is_full_rank(self.image.shape, k):
            return self.image.copy()
        channels = (self.left[:, :, :k] * self.values[:, np.newaxis, :k]) @ self.right[:, :k]
        return np.clip(np.rint(channels.transpose(1, 2, 0)), 0, 255).astype(np.uint8)  # (H, W, 3)

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
    channels = image.transpose(2, 0, 1).astype(np.float64)  # (3, H, W)
    left, values, right = np.linalg.svd(channels, full_matrices=False)
    return Decomposition(image, left, values, right)
