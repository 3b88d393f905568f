"""Measure every k on every image, before and after encoding, beside the encoder alone."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from slimderm.components.common.errors import ImageError
from slimderm.components.dataset.images import decode_image
from slimderm.components.quality.measure import Reference
from slimderm.components.quality.metrics import METRICS
from slimderm.components.quality.settings import QualitySettings

Pixels = npt.NDArray[np.uint8]
Row = dict[str, Any]
VALUES = ("explained_variance", *METRICS)


class Decomposed(Protocol):
    """A decomposed image, as `slimderm.components.compression.svd.decompose` gives it."""

    def truncations(self, ranks: Sequence[int]) -> Iterator[tuple[int, Pixels]]:
        """Yield each k, the largest first, and the image of `k` singular values a channel."""

    def explained_variance(self, k: int) -> float:
        """Share of the energy in them."""


@dataclass(frozen=True)
class SweepTools:
    """What a sweep measures with; picklable, as it goes to other processes.

    Attributes
    ----------
    ranks : sequence of int
        The k to try.
    settings : QualitySettings
    decompose : callable
        uint8 (H, W, 3) to `Decomposed`.
    encode : callable
        The source's bytes, its `Decomposed`, k (None for the control) and the truncated image,
        uint8 (H, W, 3), to the bytes that are stored.
    decode : callable
        Stored bytes to uint8 (H, W, 3).
    """

    ranks: Sequence[int]
    settings: QualitySettings
    decompose: Callable[[Pixels], Decomposed]
    encode: Callable[[bytes, Any, int | None, Pixels], bytes]
    decode: Callable[[bytes], Pixels]


def measure_image(image_id: str, path: Path, tools: SweepTools) -> list[Row]:
    """Measure one image.

    Parameters
    ----------
    image_id : str
    path : path
        Its file; its size is the size before compression.
    tools : SweepTools

    Returns
    -------
    list of dict
        For each k a row of stage ``before`` (the reconstruction) and one of stage ``after`` (what
        is stored, decoded again) of arm ``svd``; then one row ``after`` of arm ``control``, the
        encoder without SVD, whose k is None. Columns: image_id, arm, k, stage, full_rank,
        bytes_before, bytes_after (NaN before encoding), `VALUES`.

    Raises
    ------
    ImageError
        If the file is no image, or one that cannot be measured or encoded; the message names it.
    """
    try:
        return _measure_image(image_id, path, tools)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error


def _measure_image(image_id: str, path: Path, tools: SweepTools) -> list[Row]:
    data = path.read_bytes()
    original = decode_image(data)
    reference = Reference(original, tools.settings)
    decomposition = tools.decompose(original)
    common = {"image_id": image_id, "bytes_before": len(data)}

    def stored(k: int | None, image: Pixels) -> Row:
        encoded = tools.encode(data, decomposition, k, image)
        return {"bytes_after": len(encoded), **reference.compare(tools.decode(encoded))}

    control = stored(None, original)
    pairs = {}
    for k, slim in decomposition.truncations(tools.ranks):
        full_rank = k >= min(original.shape[:2])
        arm = {**common, "arm": "svd", "k": k, "full_rank": full_rank}
        arm["explained_variance"] = decomposition.explained_variance(k)
        before = {**arm, "stage": "before", **reference.compare(slim)}
        # At full rank the image that is encoded is the original, and so is the result.
        after = {**arm, "stage": "after", **(control if full_rank else stored(k, slim))}
        pairs[k] = (before, after)
    rows = [row for k in tools.ranks for row in pairs[k]]
    alone = {"arm": "control", "k": None, "stage": "after", "full_rank": False}
    rows.append({**common, **alone, "explained_variance": 1.0, **control})
    return rows


def measure_chunk(images: Sequence[tuple[str, Path]], tools: SweepTools) -> pd.DataFrame:
    """Measure some images, (image_id, path) each: the rows of `measure_image` as one table."""
    return pd.DataFrame([row for name, path in images for row in measure_image(name, path, tools)])


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Give the mean and the standard deviation of every metric over the images.

    Parameters
    ----------
    table : DataFrame
        Rows of `measure_image`, of any number of images.

    Returns
    -------
    DataFrame
        One row an arm, k and stage: num_images, full_rank (share of images), bytes_before and
        bytes_after (sums; NaN before encoding), compression_ratio, storage_saved (share, paper,
        section 5.2), and ``<metric>_mean`` and ``<metric>_std`` (sample deviation).
    """
    groups = table.groupby(["arm", "k", "stage"], dropna=False, sort=True)
    summary = groups.agg(
        num_images=("image_id", "nunique"),
        full_rank=("full_rank", "mean"),
        bytes_before=("bytes_before", "sum"),
        bytes_after=("bytes_after", lambda sizes: sizes.sum(min_count=1)),
    )
    summary["compression_ratio"] = summary["bytes_before"] / summary["bytes_after"]
    summary["storage_saved"] = 1 - summary["bytes_after"] / summary["bytes_before"]
    for value in VALUES:
        summary[f"{value}_mean"] = groups[value].mean()
        summary[f"{value}_std"] = groups[value].std()
    return summary.reset_index()
