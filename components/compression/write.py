"""Store images at one k: the bytes, and the row of the manifest that says what was done."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import ParameterError
from slimderm.components.compression import codecs
from slimderm.components.compression.svd import decompose, is_full_rank
from slimderm.components.dataset.images import decode_image

Pixels = npt.NDArray[np.uint8]
Measure = Callable[[Pixels, Pixels], Mapping[str, float]]


def compress_image(
    data: bytes, *, k: int | None, codec: str, quality: int, measure: Measure | None = None
) -> tuple[bytes, dict[str, Any]]:
    """Compress one image file.

    Parameters
    ----------
    data : bytes
        The source file.
    k : int or None
        Singular values a channel, at least 1. At the shorter side or more (full rank), and with
        None, the image is encoded as it is.
    codec : str
        A key of `slimderm.components.compression.codecs.CODECS`.
    quality : int
        In 1..100.
    measure : callable, optional
        Original and stored image, uint8 (H, W, 3), to named metrics.

    Returns
    -------
    stored : bytes
        The file to write.
    row : dict
        sha256_before, sha256_after, bytes_before, bytes_after, k, full_rank, codec (or its
        ``instead``, where it cannot take the source), quality, and what `measure` gives.

    Raises
    ------
    ParameterError
        For a bad k or codec.
    ImageError
        If the data are no image, or the codec cannot store it.
    """
    codecs.get(codec)  # an unknown one is named before any work
    image = decode_image(data)
    full_rank = k is None or is_full_rank(image.shape, k)
    stored, codec = store_image(image, data, k=k, codec=codec, quality=quality)
    row = {
        "sha256_before": hashlib.sha256(data).hexdigest(),
        "sha256_after": hashlib.sha256(stored).hexdigest(),
        "bytes_before": len(data),
        "bytes_after": len(stored),
        "k": k,
        "full_rank": full_rank,
        "codec": codec,
        "quality": quality,
    }
    if measure is not None:
        row |= measure(image, decode_image(stored))
    return stored, row


def store_image(
    image: Pixels, source: bytes, *, k: int | None, codec: str, quality: int
) -> tuple[bytes, str]:
    """Compress one decoded image.

    Parameters
    ----------
    image : uint8 array of shape (H, W, 3)
        RGB.
    source : bytes
        The file that it was decoded from; empty where there is none.
    k, codec, quality
        As for `compress_image`.

    Returns
    -------
    stored : bytes
        The file to write.
    codec : str
        The one that was taken: `codec`, or the one that stands in for what it cannot store.

    Raises
    ------
    ParameterError
        For a bad k or codec.
    ImageError
        If no codec can store the image.
    """
    if k is None or is_full_rank(image.shape, k):
        return codecs.store(codec, codecs.Item(source, None, None, image), quality)
    decomposition = decompose(image)
    item = codecs.Item(source, decomposition, k, decomposition.reconstruct(k))
    return codecs.store(codec, item, quality)


def target_names(files: Sequence[str], *, codec: str) -> list[str]:
    """Name the files to write: those of the sources, with the codec's ending.

    Parameters
    ----------
    files : sequence of str
        Relative POSIX paths.
    codec : str
        A key of `slimderm.components.compression.codecs.CODECS`.

    Raises
    ------
    ParameterError
        For an unknown codec, or two files that would be written under one name.
    """
    suffix = codecs.get(codec).suffix
    found: dict[str, str] = {}
    for file in files:
        name = PurePosixPath(file).with_suffix(suffix).as_posix()
        if name in found:
            raise ParameterError(
                f"files: received {found[name]} and {file}, which would both be written as {name}, "
                "expected names that differ in more than their ending; rename one"
            )
        found[name] = file
    return list(found)
