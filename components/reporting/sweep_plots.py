"""Pictures of the sweep: metrics against k, bytes against quality."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from slimderm.components.reporting.point_labels import label_points
from slimderm.components.reporting.style import COLOURS, GREY, tidy_axes


def metrics_against_rank(
    summary: pd.DataFrame, labels: Mapping[str, str], chosen: int | None = None
) -> Figure:
    """Draw every metric against k with its spread, before and after encoding.

    Parameters
    ----------
    summary : DataFrame
        One row an arm, k and stage, with ``<metric>_mean`` and ``<metric>_std``.
    labels : mapping
        Metric to the title of its panel, unit included.
    chosen : int, optional
        The chosen k, marked in each panel.

    Returns
    -------
    Figure
        One panel a metric; the band is one standard deviation over the images. The dashed line is
        the control arm, the encoder alone.
    """
    columns = 4
    rows = -(-len(labels) // columns)
    figure = Figure(figsize=(3.2 * columns, 2.5 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, (metric, label) in zip(panels, labels.items(), strict=False):
        _metric_panel(tidy_axes(ax, title=label), summary, metric)
        if chosen is not None:
            ax.axvline(chosen, color=GREY, linewidth=0.8, linestyle=":")
    for ax in panels[len(labels) :]:
        ax.set_axis_off()
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=4, fontsize=9, frameon=False)
    figure.supxlabel("k, singular values kept a channel", fontsize=9)
    return figure


def _metric_panel(ax: Axes, summary: pd.DataFrame, metric: str) -> None:
    for colour, stage, name in (
        (COLOURS[0], "before", "SVD, before encoding"),
        (COLOURS[1], "after", "SVD, as stored"),
    ):
        rows = summary[(summary["arm"] == "svd") & (summary["stage"] == stage)].sort_values("k")
        mean, spread = rows[f"{metric}_mean"], rows[f"{metric}_std"].fillna(0)
        ax.plot(rows["k"], mean, color=colour, marker="o", markersize=3, linewidth=1.3, label=name)
        ax.fill_between(
            rows["k"], mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0
        )
    control = summary[summary["arm"] == "control"]
    for value in control[f"{metric}_mean"]:
        ax.axhline(value, color=GREY, linewidth=1, linestyle="--", label="encoder alone")
    ax.ticklabel_format(axis="y", useOffset=False)
    low, high = ax.get_ylim()
    if high - low < 1e-6 * abs(high):  # a metric that k does not move
        ax.set_ylim(0.95 * low, 1.05 * high)


def size_against_quality(summary: pd.DataFrame, metrics: Mapping[str, str]) -> Figure:
    """Draw kilobytes an image against quality as stored, each k beside the encoder alone.

    Parameters
    ----------
    summary : DataFrame
        As for `metrics_against_rank`, with ``bytes_after`` and ``num_images``.
    metrics : mapping
        Metric to axis label, one panel each.

    Returns
    -------
    Figure
    """
    figure = Figure(figsize=(4.6 * len(metrics), 3.6), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(metrics)))
    stored = summary[summary["stage"] == "after"]
    ranks = stored[stored["arm"] == "svd"]["k"].sort_values()
    for ax, (metric, label) in zip(panels, metrics.items(), strict=True):
        tidy_axes(ax, title=f"Size against {label}", x="kB an image, as stored", y=label)
        svd = stored[stored["arm"] == "svd"].sort_values("k")
        size = svd["bytes_after"] / svd["num_images"] / 1000
        ax.plot(size, svd[f"{metric}_mean"], "o-", color=COLOURS[0], label="SVD, then encoder")
        control = stored[stored["arm"] == "control"]
        ax.plot(
            control["bytes_after"] / control["num_images"] / 1000,
            control[f"{metric}_mean"],
            "D",
            color=COLOURS[1],
            label="encoder alone (control)",
        )
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=2, fontsize=8, frameon=False)
    for ax in panels:
        ax.margins(0.1)
        label_points(ax, ax.get_lines()[0].get_xydata(), [f"{k:.0f}" for k in ranks])
    return figure
