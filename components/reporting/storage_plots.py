"""Pictures and tables of the storage study and of the resize study."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from slimderm.components.compression import codecs
from slimderm.components.quality.metrics import HEADLINE, METRICS
from slimderm.components.reporting.style import (
    COLOURS,
    GREY,
    number_logarithmic,
    tidy_axes,
)


def rate_distortion(summary: pd.DataFrame, metrics: Mapping[str, str], k: int | None) -> Figure:
    """Draw each codec's metrics against bits per pixel, without SVD and at one k.

    Parameters
    ----------
    summary : DataFrame
        As `slimderm.components.quality.storage_options.summarise_options` gives it.
    metrics : mapping
        Metric to axis label, one panel each.
    k : int, optional
        The rank of the dashed curves; none are drawn without it.

    Returns
    -------
    Figure
        Bands are intervals of the mean over images. Lossless options are left out.
    """
    figure = Figure(figsize=(4.6 * len(metrics), 4.0), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(metrics)))
    lossy = summary.groupby("codec")["quality"].transform("nunique") > 1
    for ax, (metric, label) in zip(panels, metrics.items(), strict=True):
        tidy_axes(ax, title=label, x="bits per pixel")
        for codec, rows in summary[lossy].groupby("codec", sort=False):
            alone = rows[rows["k"].isna()]
            if len(alone) < 2:
                continue
            _curve(ax, alone, metric, codec, "-")
            if k is not None:
                _curve(ax, rows[rows["k"] == k], metric, codec, "--")
        ax.set_xscale("log")
        number_logarithmic(ax.xaxis)
        if METRICS[metric].log_scale:
            ax.set_yscale("log")
            number_logarithmic(ax.yaxis)
    if k is not None:
        panels[0].plot([], [], "--", color=GREY, linewidth=1.2, label=f"dashed: SVD at k = {k}")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside upper center", ncols=len(names), fontsize=8, frameon=False
    )
    return figure


def _curve(ax: Axes, rows: pd.DataFrame, metric: str, codec: str, style: str) -> None:
    if rows.empty:
        return
    rows = rows.sort_values("bits_per_pixel")
    look = codecs.get(codec)
    colour = look.colour
    name = (look.title or codec) if style == "-" else "_"  # matplotlib's for no entry
    bits, mean = rows["bits_per_pixel"], rows[f"{metric}_mean"]
    size = 3 if style == "-" else 0
    ax.plot(bits, mean, style, color=colour, marker="o", ms=size, linewidth=1.2, label=name)
    low, high = rows[f"{metric}_low"], rows[f"{metric}_high"]
    if style == "-" and low.notna().all():
        ax.fill_between(bits, low, high, color=colour, alpha=0.12, linewidth=0)


def options_table(summary: pd.DataFrame, k: int | None) -> pd.DataFrame:
    """Give people the columns of the storage study, without SVD and at one k.

    Returns
    -------
    DataFrame
        Columns codec, quality, k, compression_ratio, storage_saved, bits_per_pixel, psnr, ssim,
        haralick_distance (means), encode_ms, decode_ms.
    """
    rows = summary[summary["k"].isna() | (summary["k"] == k)]
    table = rows[["codec", "quality", "k", "compression_ratio", "storage_saved", "bits_per_pixel"]]
    for metric in HEADLINE:
        table = table.assign(**{metric: rows[f"{metric}_mean"]})
    times = rows[["encode_ms", "decode_ms"]]
    return pd.concat([table, times], axis=1).sort_values(["codec", "quality", "k"])


def rates_wide(rates: pd.DataFrame) -> pd.DataFrame:
    """Give the rate differences as text, one row a codec and k, one column a metric."""

    def write(row: pd.Series) -> str:
        if pd.isna(row["rate"]):
            return "none in common"
        text = f"{row['rate']:+.1%}"
        return text if pd.isna(row["low"]) else f"{text} ({row['low']:+.1%} to {row['high']:+.1%})"

    cells = rates.assign(
        text=[write(row) for _, row in rates.iterrows()],
        k=[f"{k:.0f}" if pd.notna(k) else "no SVD" for k in rates["k"]],
    )
    order = list(dict.fromkeys(cells["metric"]))
    wide = cells.pivot(index=["codec", "k"], columns="metric", values="text")[order]
    return wide.reset_index().rename_axis(None, axis=1)


def input_sizes(summary: pd.DataFrame, resolutions: pd.DataFrame) -> Figure:
    """Draw what is left of an image, and what the networks cost, at each input size.

    Parameters
    ----------
    summary : DataFrame
        As `slimderm.components.quality.resize.summarise_sizes` gives it.
    resolutions : DataFrame
        As `slimderm.components.training.resolutions.resolution_table` gives it.

    Returns
    -------
    Figure
        Sizes are height × width, in order of their pixels; error bars are intervals of the mean.
    """
    figure = Figure(figsize=(14, 3.8), layout="constrained")
    panels = figure.subplots(1, 4)
    places = np.arange(len(summary))
    names = [f"{h}×{w}" for h, w in zip(summary["height"], summary["width"], strict=True)]
    for ax, metric in zip(panels[:2], ("ssim", "psnr"), strict=True):
        tidy_axes(ax, title=f"{METRICS[metric].label}, shrunk and brought back")
        mean = summary[f"{metric}_mean"]
        spread = (summary[f"{metric}_high"] - mean).fillna(0)
        ax.errorbar(places, mean, yerr=spread, fmt="o", color=COLOURS[0], capsize=3)
    order = pd.MultiIndex.from_frame(summary[["height", "width"]])
    for ax, value, label in (
        (panels[2], "parameters", "parameters, millions"),
        (panels[3], "multiply_accumulates", "multiply-accumulates, millions"),
    ):
        tidy_axes(ax, title=label)
        for colour, (network, rows) in zip(
            COLOURS, resolutions.groupby("network", sort=False), strict=False
        ):
            values = rows.set_index(["height", "width"])[value].reindex(order) / 1e6
            ax.plot(places, values.to_numpy(), "o-", ms=4, color=colour, label=network)
        ax.set_yscale("log")
        if len(resolutions):
            number_logarithmic(ax.yaxis)
    for ax in panels:
        ax.set_xticks(places, names)
        ax.margins(x=0.12)
    if len(resolutions):
        panels[2].legend(fontsize=8, frameon=False)
    figure.supxlabel("input size, height × width, fewest pixels first", fontsize=9)
    return figure
