"""The storage study in sentences: what saved bytes, what others would need, what was left out."""

import numpy as np
import pandas as pd
from scipy.interpolate import PchipInterpolator

from slimderm.components.common.errors import ParameterError
from slimderm.components.quality.metrics import METRICS


def describe_left_out(left_out: pd.DataFrame) -> list[str]:
    """Say what could not be measured: each codec with its number of images and an example.

    Parameters
    ----------
    left_out : DataFrame
        Rows of `LEFT_OUT`.
    """
    return [
        (f"{codec} is left out for " if codec else "left out: ")
        + f"{rows['image_id'].nunique()} images, such as {rows['file'].iloc[0]}: "
        + f"{rows['reason'].iloc[0]}"
        for codec, rows in left_out.groupby("codec", sort=True)
    ]


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
    svd = total / encoder
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
    """Compare bytes as shares of the sources', as a codec may have been left out for some."""
    sign = METRICS[metric].sign
    levels = sign * rows[f"{metric}_mean"].to_numpy()
    label = f"{METRICS[metric].label} {wanted:.4f}"
    without = int(rows["num_left_out"].max())
    but = f" {without} images are left out, which it cannot take." if without else ""
    if len(rows) == 1:
        ratio = own["compression_ratio"] / rows.iloc[0]["compression_ratio"]
        return f"{name}, which loses nothing of the source, takes {ratio:.2f}× the bytes.{but}"
    if not levels.min() <= sign * wanted <= levels.max():
        return f"{name} was not tried at a quality that gives {label}.{but}"
    order = np.argsort(levels)
    levels, rows = levels[order], rows.iloc[order]
    share = 1 / rows["compression_ratio"]
    size = np.exp(PchipInterpolator(levels, np.log(share))(sign * wanted))
    quality = PchipInterpolator(levels, rows["quality"])(sign * wanted)
    less = 1 - size * own["compression_ratio"]
    words = f"{less:.0%} fewer bytes" if less >= 0 else f"{-less:.0%} more bytes"
    return f"{name} of quality {quality:.0f} without SVD takes {words} at the same {label}.{but}"


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
