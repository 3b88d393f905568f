"""The storage study: many storage options, each with and without SVD, measured alike."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from slimderm.components.common.errors import ImageError
from slimderm.components.dataset.images import read_image
from slimderm.components.quality.measure import Reference
from slimderm.components.quality.metrics import METRICS
from slimderm.components.quality.settings import QualitySettings
from slimderm.components.quality.sweep import Decomposed

Pixels = npt.NDArray[np.uint8]
LOSSLESS = 100  # the quality written where there is none to choose
OPTION = ["codec", "quality", "k"]
LEFT_OUT = ["image_id", "file", *OPTION, "reason"]  # columns of what could not be measured


@dataclass(frozen=True)
class StorageTools:
    """What the study stores images with; picklable.

    Attributes
    ----------
    decompose : callable
        uint8 (H, W, 3) to `Decomposed`.
    store : callable
        Codec, quality, source's bytes, `Decomposed`, k (None without SVD) and the truncated image,
        uint8 (H, W, 3), to the bytes that are stored.
    decode : callable
        Stored bytes to uint8 (H, W, 3).
    is_lossless : callable
        Codec and k to whether the quality changes nothing.
    """

    decompose: Callable[[Pixels], Decomposed]
    store: Callable[[str, int, bytes, Decomposed, int | None, Pixels], bytes]
    decode: Callable[[bytes], Pixels]
    is_lossless: Callable[[str, int | None], bool]


def measure_options(
    image_id: str,
    path: Path,
    *,
    qualities: Mapping[str, Sequence[int]],
    ranks: Sequence[int],
    settings: QualitySettings,
    tools: StorageTools,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Store one image by every storage option.

    Returns
    -------
    rows : list of dict
        One a codec, quality and k (None without SVD; a k of full rank is left out, as it is the
        same): image_id, the option, bytes_before, bytes_after, pixels, encode_seconds and
        decode_seconds (one run each), and every metric of what is read back against the original.
    left_out : list of dict
        `LEFT_OUT` of each option that cannot store this image, or of the image (codec "") where it
        cannot be read or measured.
    """
    try:
        data, original = path.read_bytes(), read_image(path)
        reference = Reference(original, settings)
    except (OSError, ImageError) as error:
        nothing = {"codec": "", "quality": None, "k": None, "reason": str(error)}
        return [], [{"image_id": image_id, "file": str(path), **nothing}]
    decomposition = tools.decompose(original)
    below = [k for k in ranks if k < min(original.shape[:2])]
    rows, left_out = [], []
    for k, slim in [(None, original), *decomposition.truncations(below)]:
        for codec, found in qualities.items():
            for quality in (LOSSLESS,) if tools.is_lossless(codec, k) else found:
                option = {"image_id": image_id, "codec": codec, "quality": quality, "k": k}
                try:
                    start = time.perf_counter()
                    stored = tools.store(codec, quality, data, decomposition, k, slim)
                    written = time.perf_counter()
                    back = tools.decode(stored)
                    read = time.perf_counter()
                    metrics = reference.compare(back)
                except ImageError as error:
                    left_out.append(option | {"file": str(path), "reason": str(error)})
                    continue
                row = option | {"bytes_before": len(data), "bytes_after": len(stored)}
                row |= {"pixels": original.shape[0] * original.shape[1]}
                row |= {"encode_seconds": written - start, "decode_seconds": read - written}
                rows.append(row | metrics)
    return rows, left_out


def summarise_options(
    table: pd.DataFrame, left_out: pd.DataFrame | None = None, *, confidence: float
) -> pd.DataFrame:
    """Give each option's bytes and mean metrics over the images.

    Parameters
    ----------
    table, left_out : DataFrame
        Rows of `measure_options`.
    confidence : float
        Of the intervals of the means, Student's t over images.

    Returns
    -------
    DataFrame
        One row an option (k is NaN without SVD), in the order of codec, quality, k: num_images,
        num_left_out (images that it cannot store), bytes_before, bytes_after (sums),
        bits_per_pixel with ``_low`` and ``_high``, compression_ratio, storage_saved, encode_ms,
        decode_ms (medians), and ``<metric>_mean``, ``_low``, ``_high``. Intervals of one image are
        NaN.
    """
    table = table.assign(bits_per_pixel=8 * table["bytes_after"] / table["pixels"])
    groups = table.groupby(OPTION, dropna=False, sort=True)
    summary = groups.agg(
        num_images=("image_id", "nunique"),
        bytes_before=("bytes_before", "sum"),
        bytes_after=("bytes_after", "sum"),
        encode_ms=("encode_seconds", lambda seconds: 1000 * seconds.median()),
        decode_ms=("decode_seconds", lambda seconds: 1000 * seconds.median()),
    )
    lacking = Counter(_options(left_out)) if left_out is not None else Counter()
    lacks = [lacking[option] for option in _options(summary.reset_index())]
    summary.insert(1, "num_left_out", lacks)
    summary["compression_ratio"] = summary["bytes_before"] / summary["bytes_after"]
    summary["storage_saved"] = 1 - summary["bytes_after"] / summary["bytes_before"]
    count = summary["num_images"]
    reach = stats.t.ppf((1 + confidence) / 2, np.maximum(count - 1, 1)) / np.sqrt(count)
    for value in ("bits_per_pixel", *METRICS):
        mean = groups[value].mean()
        margin = reach * groups[value].std()  # NaN with one image
        name = value if value == "bits_per_pixel" else f"{value}_mean"
        summary[name] = mean
        summary[f"{value}_low"], summary[f"{value}_high"] = mean - margin, mean + margin
    return summary.reset_index()


def _options(table: pd.DataFrame) -> list[tuple[str, int, int]]:
    """Name the option of each row; k is 0 without SVD."""
    numbers = table[["quality", "k"]].astype("Float64").fillna(0).astype(int)
    return list(zip(table["codec"], numbers["quality"], numbers["k"], strict=True))
