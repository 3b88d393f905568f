"""The resize study (paper, section 3): what is left of an image at each input size."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from scipy import stats

from components.dataset.images import read_image, resize
from components.errors import ParameterError
from components.quality.choice import check_floors
from components.quality.measure import METRICS, QualitySettings, Reference
from components.settings import Settings, setting

Size = tuple[int, int]
PAPER_SIZES: tuple[Size, ...] = ((256, 256), (450, 150), (300, 600), (200, 100), (300, 300))


@dataclass(frozen=True)
class ResizeSettings(Settings):
    """Section ``resize`` of ``params.yaml``: the sizes to compare, and training's input size.

    Sizes are (height, width) in pixels; the paper does not say which number is which. ``rule`` is
    ``fixed`` (take ``size``, the paper's choice) or ``floors`` (of ``sizes`` the one of fewest
    pixels whose mean metrics meet every floor). ``max_images`` are drawn at random.
    """

    sizes: tuple[tuple[int, ...], ...] = field(default=PAPER_SIZES)
    rule: str = setting("fixed", choices=("fixed", "floors"))
    size: tuple[int, ...] = setting((200, 100), low=8)
    floors: dict[str, float] = field(default_factory=dict)
    max_images: int | None = setting(200, low=1)
    seed: int = setting(0, low=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, sizes in (("sizes", self.sizes), ("size", (self.size,))):
            for size in sizes:
                if len(size) != 2 or min(size) < 8:
                    raise ParameterError(
                        f"{name}: received {list(size)}, expected height and width of at least 8"
                    )
        check_floors(self.floors)
        if self.rule == "floors" and not (self.floors and self.sizes):
            raise ParameterError(
                "floors: received none, or no sizes, expected at least one of each for the rule "
                "floors, such as ssim: 0.9"
            )


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
        One row a size: height, width, pixels, num_images and ``<metric>_mean``, ``_low``,
        ``_high``; fewest pixels first. Intervals of one image are NaN.
    """
    groups = table.groupby(["height", "width"])
    summary = groups.agg(num_images=("image_id", "nunique"))
    count = summary["num_images"]
    reach = stats.t.ppf((1 + confidence) / 2, np.maximum(count - 1, 1)) / np.sqrt(count)
    for metric in METRICS:
        mean, margin = groups[metric].mean(), reach * groups[metric].std()
        summary[f"{metric}_mean"] = mean
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

    Raises
    ------
    ParameterError
        If no size meets every floor; the message names the one that comes nearest.
    """
    if settings.rule == "fixed":
        height, width = settings.size
        return SizeChoice(height, width, "fixed", f"{height}×{width} is set by resize.size.")
    misses = pd.DataFrame(index=summary.index)
    for metric, floor in settings.floors.items():
        sign = 1 if METRICS[metric].better == "higher" else -1
        misses[metric] = (sign * (floor - summary[f"{metric}_mean"])).clip(lower=0)
    meets = summary[(misses == 0).all(axis=1)].sort_values("pixels", kind="stable")
    wanted = ", ".join(f"{metric} {floor:g}" for metric, floor in settings.floors.items())
    if meets.empty:
        spread = misses / misses.max().where(misses.max() > 0, 1)
        row = summary.loc[spread.sum(axis=1).idxmin()]
        metric = spread.loc[row.name].idxmax()
        raise ParameterError(
            f"floors: no size meets {wanted}; {row['height']:.0f}×{row['width']:.0f} comes nearest,"
            f" with {metric} {row[f'{metric}_mean']:.4g}. Lower that floor, or add larger sizes to "
            "resize.sizes"
        )
    best = meets.iloc[0]
    height, width = int(best["height"]), int(best["width"])
    reason = (
        f"{height}×{width} has the fewest pixels of the {len(meets)} sizes, of {len(summary)}, "
        f"that meet {wanted}."
    )
    return SizeChoice(height, width, "floors", reason)
