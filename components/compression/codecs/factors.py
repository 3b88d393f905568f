"""Store the singular value decomposition itself: quantised and entropy-coded.

An error in a singular vector weighs as much as its singular value, so each vector is multiplied by
its own value and all are rounded to one step, which spends most bits where they count (reverse
water-filling). The rounded numbers go through pcodec's entropy coder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from slimderm.components.compression.codecs.base import Codec, Item

if TYPE_CHECKING:
    from slimderm.components.compression.svd import Decomposition


def step_of(quality: int) -> float:
    """Step of the quantiser, in singular values' units: 1 at quality 100, tenfold each 50 less."""
    return float(10 ** ((100 - quality) / 50))


def pack(decomposition: Decomposition, k: int, quality: int) -> bytes:
    """Write `k` singular values and vectors of each channel (layout: `dataset.factors`).

    Parameters
    ----------
    decomposition : Decomposition
        Of an image of shape (H, W, 3).
    k : int
        At least 1; more than the shorter side counts as the shorter side.
    quality : int
        In 1..100; sets the step of the quantiser.

    Returns
    -------
    bytes

    Raises
    ------
    ParameterError
        If `k` is less than 1.
    """
    import zlib

    import imagecodecs
    import numpy as np

    from slimderm.components.compression.svd import is_full_rank
    from slimderm.components.dataset.factors import GROUP, HEAD, LENGTH, MAGIC

    height, width = decomposition.image.shape[:2]
    if is_full_rank((height, width), k):
        k = min(height, width)
    step = np.float32(step_of(quality))
    values = decomposition.values[:, :k].astype("<f4")  # (3, k)
    parts = [values.tobytes()]
    for own, vectors, longer in zip(
        values.astype(np.float64),
        decomposition.vectors,
        decomposition.project(k),
        strict=True,
    ):
        for factors in (vectors[:, :k].T * own[:, np.newaxis], longer):  # (k, side)
            numbers = np.rint(factors / step).astype(np.int32)
            for first in range(0, k, GROUP):
                stored = imagecodecs.pcodec_encode(
                    np.ascontiguousarray(numbers[first : first + GROUP])
                )
                parts += [LENGTH.pack(len(stored)), bytes(stored)]
    body = b"".join(parts)
    return HEAD.pack(MAGIC, height, width, k, step, zlib.crc32(body)) + body


def write(item: Item, quality: int) -> bytes:
    """Store `item.k` singular values and vectors a channel, or all of them."""
    from slimderm.components.compression.svd import decompose

    decomposition = item.decomposition or decompose(item.image)
    return pack(decomposition, item.k or min(item.image.shape[:2]), quality)


CODEC = Codec(
    "factors",
    ".svd",
    write,
    qualities=(40, 60, 80),
    title="SVD factors, quantised",
    colour="#e08e1b",
)
