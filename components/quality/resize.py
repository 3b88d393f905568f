"""The resize study (paper, section 3): what is left of an image at each input size."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from scipy import stats

from slimderm.components.common.errors import ParameterError, SchemaError
from slimderm.components.dataset.images import read_image, resize
from slimderm.components.quality.measure import Reference
from slimderm.components.quality.metrics import METRICS, describe_floors
from slimderm.components.quality.settings import QualitySettings, ResizeSettings

Size = tuple[int, int]


def measure_resized(
    image_id: str, path: Path, *, sizes: Sequence[Sequence[int]], settings: QualitySettings
) -> list[dict[str, Any]]:
    """Shrink one image to each size and back, and compare it with what it was.

    Shrunk by averaging areas, as training does it, and brought back by cubic interpolation, so a
    changed shape of the pixels is undone, too: what is measured is what the network cannot see.

    Returns
    -------
    list of dict
        One a size: image_id, height, width, and every metric.
    """
    original = read_image(path)
    reference = Reference(original, settings)
    own = original.shape[:2]
    rows = []
    for height, width in sizes:
        shrunk = resize(original, size=(height, width))
        back = cv2.resize(shrunk, own[::-1], interpolation=cv2.INTER_CUBIC)
        same = (height, width) == own
        metrics = reference.compare(original if same else np.asarray(back, np.uint8))
        rows.append({"image_id": image_id, "height": height, "width": width, **metrics})
    return rows


def summarise_sizes(table: pd.DataFrame, *, confidence: float = 0.95) -> pd.DataFrame:
    """Give the mean of every metric at each size.

    Parameters
    ----------
    table : DataFrame
        Rows of `measure_resized`.
    confidence : float
        Of the means' intervals, Student's t over images.

    Returns
    -------
    DataFrame
        One row a size: height, width, pixels, num_images and ``<metric>_mean``, ``_std`` (sample
        deviation), ``_low``, ``_high``; fewest pixels first. Of one image all but the mean is NaN.
    """
    groups = table.groupby(["height", "width"])
    summary = groups.agg(num_images=("image_id", "nunique"))
    count = summary["num_images"]
    reach = stats.t.ppf((1 + confidence) / 2, np.maximum(count - 1, 1)) / np.sqrt(count)
    for metric in METRICS:
        mean, spread = groups[metric].mean(), groups[metric].std()
        margin = reach * spread
        summary[f"{metric}_mean"], summary[f"{metric}_std"] = mean, spread
        summary[f"{metric}_low"], summary[f"{metric}_high"] = mean - margin, mean + margin
    summary = summary.reset_index()
    summary.insert(2, "pixels", summary["height"] * summary["width"])
    return summary.sort_values(["pixels", "height"], ignore_index=True)


@dataclass(frozen=True)
class SizeChoice:
    """Training's input size in pixels, and a sentence for a person."""

    height: int
    width: int
    rule: str
    reason: str


def choose_size(summary: pd.DataFrame, settings: ResizeSettings) -> SizeChoice:
    """Pick the input size.

    Parameters
    ----------
    summary : DataFrame
        As `summarise_sizes` gives it.
    settings : ResizeSettings

    Returns
    -------
    SizeChoice
        Of two with as many pixels the one that is better by the first floor's metric.

    Raises
    ------
    ParameterError
        If no size meets every floor; the message names the one that comes nearest.
    SchemaError
        If the mean of a metric that has a floor is no number.
    """
    if settings.rule == "fixed":
        height, width = settings.size
        return SizeChoice(height, width, "fixed", f"{height}×{width} is set by resize.size.")
    gains = pd.DataFrame(
        {metric: METRICS[metric].sign * summary[f"{metric}_mean"] for metric in settings.floors}
    )
    broken = gains.columns[~np.isfinite(gains).all()]
    if len(broken):
        raise SchemaError(
            f"summary: received no number as a mean of {', '.join(broken)}, expected one for each "
            "size; look for the image that has none, or leave the metric out of resize.floors"
        )
    floors = settings.floors
    signed = pd.Series({metric: METRICS[metric].sign * floor for metric, floor in floors.items()})
    misses = (signed - gains).clip(lower=0)
    meets = summary[(misses == 0).all(axis=1)]
    if meets.empty:
        raise ParameterError(_nearest(summary, misses, describe_floors(floors)))
    best = meets.assign(gain=-gains.iloc[:, 0]).sort_values(["pixels", "gain"]).iloc[0]
    height, width = int(best["height"]), int(best["width"])
    reason = (
        f"{height}×{width} has the fewest pixels of the sizes that meet {describe_floors(floors)}: "
        f"{len(meets)} of {len(summary)} do."
    )
    return SizeChoice(height, width, "floors", reason)


def _nearest(summary: pd.DataFrame, misses: pd.DataFrame, floors: str) -> str:
    """Say which size comes nearest, by misses as shares of each metric's largest, and its fault."""
    shares = misses / misses.max().where(misses.max() > 0, 1)
    row = summary.loc[shares.sum(axis=1).idxmin()]
    failed = shares.columns[shares.loc[row.name] > 0]
    found = ", ".join(f"{metric} {row[f'{metric}_mean']:.4g}" for metric in failed)
    return (
        f"floors: no size meets {floors}; {row['height']:.0f}×{row['width']:.0f} comes "
        f"nearest, with {found}. Loosen that, or add larger sizes to resize.sizes"
    )
