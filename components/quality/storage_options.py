"""The storage study: many storage options, each with and without SVD, measured alike."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from scipy.interpolate import PchipInterpolator

from slimderm.components.common.errors import ParameterError
from slimderm.components.dataset.images import read_image
from slimderm.components.quality.measure import Reference
from slimderm.components.quality.metrics import METRICS
from slimderm.components.quality.settings import QualitySettings
from slimderm.components.quality.sweep import Decomposed

Pixels = npt.NDArray[np.uint8]
LOSSLESS = 100  # the quality written where there is none to choose
OPTION = ["codec", "quality", "k"]


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
) -> list[dict[str, Any]]:
    """Store one image by every storage option.

    Returns
    -------
    list of dict
        One a codec, quality and k (None without SVD; a k of full rank is left out, as it is the
        same): image_id, the option, bytes_before, bytes_after, pixels, encode_seconds and
        decode_seconds (one run each), and every metric of what is read back against the original.
    """
    data, original = path.read_bytes(), read_image(path)
    reference = Reference(original, settings)
    decomposition = tools.decompose(original)
    below = [k for k in ranks if k < min(original.shape[:2])]
    rows = []
    for k, slim in [(None, original), *decomposition.truncations(below)]:
        for codec, found in qualities.items():
            for quality in (LOSSLESS,) if tools.is_lossless(codec, k) else found:
                start = time.perf_counter()
                stored = tools.store(codec, quality, data, decomposition, k, slim)
                written = time.perf_counter()
                back = tools.decode(stored)
                read = time.perf_counter()
                row = {"image_id": image_id, "codec": codec, "quality": quality, "k": k}
                row |= {"bytes_before": len(data), "bytes_after": len(stored)}
                row |= {"pixels": original.shape[0] * original.shape[1]}
                row |= {"encode_seconds": written - start, "decode_seconds": read - written}
                rows.append(row | reference.compare(back))
    return rows


def summarise_options(table: pd.DataFrame, *, confidence: float) -> pd.DataFrame:
    """Give each option's bytes and mean metrics over the images.

    Parameters
    ----------
    table : DataFrame
        Rows of `measure_options`.
    confidence : float
        Of the intervals of the means, Student's t over images.

    Returns
    -------
    DataFrame
        One row an option (k is NaN without SVD), in the order of codec, quality, k: num_images,
        bytes_before, bytes_after (sums), bits_per_pixel with ``_low`` and ``_high``,
        compression_ratio, storage_saved, encode_ms, decode_ms (medians), and ``<metric>_mean``,
        ``_low``, ``_high``. Intervals of one image are NaN.
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


def storage_sentences(
    summary: pd.DataFrame, *, codec: str, quality: int, k: int | None, metric: str = "ssim"
) -> list[str]:
    """Say what saved the bytes, and what each other codec would need for the same quality.

    Parameters
    ----------
    summary : DataFrame
        As `summarise_options` gives it.
    codec, quality, k
        The option that the sentences are about.
    metric : str
        Judge of "the same quality".

    Raises
    ------
    ParameterError
        If the table lacks the option or its control without SVD.
    """
    alone = _row_of(summary, codec, quality, None)
    own = alone if k is None else _row_of(summary, codec, quality, k)
    total, encoder = own["compression_ratio"], alone["compression_ratio"]
    svd = alone["bytes_after"] / own["bytes_after"]
    rank = f" at k = {k}." if k is not None else "."
    if total >= 1:
        parts = f"{encoder:.2f}× is {codec} quality {quality} and {svd:.3f}× is SVD{rank}"
        sentences = [f"Of the {total:.2f}× saved, {parts}"]
    else:
        parts = f"{1 / encoder:.2f}× is {codec} quality {quality} and {1 / svd:.3f}× is SVD{rank}"
        sentences = [f"Nothing is saved, the files grow to {1 / total:.2f}×: {parts}"]
    wanted = own[f"{metric}_mean"]
    for name, rows in summary[summary["k"].isna()].groupby("codec", sort=True):
        if name != codec:
            sentences.append(_same_quality(str(name), rows, own, metric, wanted))
    return sentences


def _same_quality(name: str, rows: pd.DataFrame, own: pd.Series, metric: str, wanted: float) -> str:
    sign = METRICS[metric].sign
    levels = sign * rows[f"{metric}_mean"].to_numpy()
    label = f"{METRICS[metric].label} {wanted:.4f}"
    if len(rows) == 1:
        ratio = rows.iloc[0]["bytes_after"] / own["bytes_after"]
        return f"{name}, which loses nothing of the source, takes {ratio:.2f}× the bytes."
    if not levels.min() <= sign * wanted <= levels.max():
        return f"{name} was not tried at a quality that gives {label}."
    order = np.argsort(levels)
    levels, rows = levels[order], rows.iloc[order]
    size = np.exp(PchipInterpolator(levels, np.log(rows["bytes_after"]))(sign * wanted))
    quality = PchipInterpolator(levels, rows["quality"])(sign * wanted)
    less = 1 - size / own["bytes_after"]
    words = f"{less:.0%} fewer bytes" if less >= 0 else f"{-less:.0%} more bytes"
    return f"{name} of quality {quality:.0f} without SVD takes {words} at the same {label}."


def _row_of(summary: pd.DataFrame, codec: str, quality: int, k: int | None) -> pd.Series:
    same_k = summary["k"].isna() if k is None else summary["k"] == k
    rows = summary[(summary["codec"] == codec) & (summary["quality"] == quality) & same_k]
    if rows.empty:
        raise ParameterError(
            f"storage: the study has no {codec} quality {quality} "
            + (f"at k = {k}" if k is not None else "without SVD")
            + "; add it to storage.qualities"
        )
    return rows.iloc[0]
