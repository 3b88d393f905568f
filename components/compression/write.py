"""Write a dataset at one k."""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from components.compression.codecs import get
from components.compression.svd import decompose, is_full_rank
from components.dataset.images import decode_image
from components.errors import ParameterError
from components.workers import process_pool


def _target(file: str, codec: str) -> Path:
    return Path(file).with_suffix(get(codec).suffix)


def compress_file(
    file: str, *, source: Path, destination: Path, k: int, codec: str, quality: int
) -> dict[str, Any]:
    """Compress one image file; its row of the manifest (see `write_compressed`)."""
    data = (source / file).read_bytes()
    image = decode_image(data)
    encoder = get(codec)
    full_rank = is_full_rank(image.shape, k)
    slim = image if full_rank else decompose(image).reconstruct(k)
    stored = encoder.encode(slim, quality)
    target = destination / _target(file, codec)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.draft")
    draft.write_bytes(stored)
    draft.replace(target)
    return {
        "image_id": target.stem,
        "file": target.relative_to(destination).as_posix(),
        "sha256_before": hashlib.sha256(data).hexdigest(),
        "sha256_after": hashlib.sha256(stored).hexdigest(),
        "bytes_before": len(data),
        "bytes_after": len(stored),
        "k": k,
        "full_rank": full_rank,
        "codec": codec,
        "quality": quality,
    }


def write_compressed(
    source: Path,
    files: Sequence[str],
    destination: Path,
    *,
    k: int,
    codec: str,
    quality: int,
    workers: int,
    progress: Callable[[int], object] | None = None,
) -> pd.DataFrame:
    """Write every image at `k` singular values a channel, encoded by `codec`.

    Parameters
    ----------
    source : path
        What `files` are relative to.
    files : sequence of str
        The images.
    destination : path
        Receives files of the same relative names with the codec's ending, each by a rename.
    k : int
        At least 1; the shorter side or more means full rank.
    codec : str
        A key of `components.compression.codecs.CODECS`.
    quality : int
        In 1..100.
    workers : int
        Number of processes.
    progress : callable, optional
        Called with the number of images written so far.

    Returns
    -------
    DataFrame
        The manifest, a row an image in the order of `files`: image_id, file, sha256_before,
        sha256_after, bytes_before, bytes_after, k, full_rank, codec, quality.

    Raises
    ------
    ParameterError
        For a bad k or codec, two files that would be written under one name, or a destination that
        is the source, whose images would be overwritten.
    ImageError
        If a file is no image.
    """
    is_full_rank((1, 1), k)
    targets = pd.Series([_target(file, codec).as_posix() for file in files])
    if targets.duplicated().any():
        twice = targets[targets.duplicated()].iloc[0]
        raise ParameterError(
            f"files: received several that would be written as {twice}, expected names that differ "
            "in more than their ending; rename one"
        )
    if destination.resolve() == source.resolve():
        raise ParameterError(
            f"destination: received the source itself, {source}; expected another folder"
        )
    one = partial(
        compress_file, source=source, destination=destination, k=k, codec=codec, quality=quality
    )
    rows = []
    with process_pool(workers) as pool:
        for row in pool.map(one, files, chunksize=8):
            rows.append(row)
            if progress is not None:
                progress(len(rows))
    return pd.DataFrame(rows)
