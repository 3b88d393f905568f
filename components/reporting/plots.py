"""Pictures of a run. Each function takes tables and returns a `matplotlib.figure.Figure`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, PercentFormatter

COLOURS = ("#1b6ca8", "#d1495b", "#2e933c", "#8d5a97", "#e08e1b", "#5f6b73")
GREY = "#5f6b73"


def tidy_axes(ax: Axes, *, title: str, x: str = "", y: str = "") -> Axes:
    """Give a panel its labels and the house's looks."""
    ax.set_title(title, fontsize=10, loc="left")
    ax.set_xlabel(x, fontsize=9)
    ax.set_ylabel(y, fontsize=9)
    ax.tick_params(labelsize=8)
    ax.grid(visible=True, alpha=0.25, linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


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
    for ax, (metric, label) in zip(panels, metrics.items(), strict=True):
        tidy_axes(ax, title=f"Size against {label}", x="kB an image, as stored", y=label)
        svd = stored[stored["arm"] == "svd"].sort_values("k")
        size = svd["bytes_after"] / svd["num_images"] / 1000
        ax.plot(size, svd[f"{metric}_mean"], "o-", color=COLOURS[0], label="SVD, then encoder")
        for x, y, k in zip(size, svd[f"{metric}_mean"], svd["k"], strict=True):
            ax.annotate(f"{k:.0f}", (x, y), textcoords="offset points", xytext=(4, -9), fontsize=7)
        control = stored[stored["arm"] == "control"]
        ax.plot(
            control["bytes_after"] / control["num_images"] / 1000,
            control[f"{metric}_mean"],
            "D",
            color=COLOURS[1],
            label="encoder alone (control)",
        )
        ax.legend(fontsize=8, frameon=False)
    return figure


def pruning_path(table: pd.DataFrame, metric: str, label: str) -> Figure:
    """Draw a metric against parameters along each network's pruning path.

    Parameters
    ----------
    table : DataFrame
        As `slimderm.components.reporting.tables.pruning_table` gives it.
    metric : str
        Column on the vertical axis, a share.
    label : str
        Its name for a person.

    Returns
    -------
    Figure
        Filled marks are accepted steps, open ones refused; one panel a network. The unpruned
        network and the smallest accepted one are named.
    """
    networks = list(dict.fromkeys(table["network"]))
    figure = Figure(figsize=(3.6 * len(networks), 3.4), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(networks), sharey=True))
    for ax, colour, network in zip(panels, COLOURS, networks, strict=False):
        steps = table[table["network"] == network]
        tidy_axes(ax, title=network, x="parameters")
        of = steps.set_index("notation")
        for _, step in steps.dropna(subset="parent").iterrows():
            ends = of.loc[[step["parent"], step["notation"]]]
            ax.plot(ends["num_parameters"], ends[metric], color=colour, linewidth=0.8, alpha=0.5)
        for accepted, face in ((True, colour), (False, "white")):
            chosen = steps[steps["accepted"] == accepted]
            name = "accepted" if accepted else "refused"
            ax.scatter(
                chosen["num_parameters"],
                chosen[metric],
                s=28,
                c=face,
                edgecolors=colour,
                label=name,
            )
        smallest = steps[steps["accepted"]].nsmallest(1, "num_parameters")
        for _, step in pd.concat([steps.head(1), smallest]).drop_duplicates("notation").iterrows():
            ax.annotate(
                step["notation"].replace(": ", "\n"),
                (step["num_parameters"], step[metric]),
                textcoords="offset points",
                xytext=(0, 7),
                fontsize=7,
                ha="center",
            )
        ax.set_xscale("log")
        ax.margins(x=0.2, y=0.15)
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        ax.xaxis.set_major_locator(LogLocator(numticks=5))
        ax.xaxis.set_minor_formatter(NullFormatter())
    panels[0].set_ylabel(label, fontsize=9)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=2, fontsize=8, frameon=False)
    return figure


def confusion_matrices(named: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw confusion matrices of the test part side by side.

    Parameters
    ----------
    named : mapping
        Title to a record with ``confusion`` (rows true, columns predicted) and ``classes``.

    Returns
    -------
    Figure
        Cells give counts; their shade is the share of the true class.
    """
    columns = min(4, len(named))
    rows = -(-len(named) // columns)
    figure = Figure(figsize=(3.1 * columns, 3.1 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, (title, record) in zip(panels, named.items(), strict=False):
        counts = np.asarray(record["confusion"])
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        ticks = range(len(record["classes"]))
        ax.set_xticks(ticks, record["classes"], fontsize=7, rotation=30, ha="right")
        ax.set_yticks(ticks, record["classes"], fontsize=7)
        for (row, column), count in np.ndenumerate(counts):
            shade = "white" if shares[row, column] > 0.55 else "black"
            ax.text(column, row, str(count), ha="center", va="center", fontsize=8, color=shade)
        ax.set_title(title, fontsize=8)
        ax.set_xlabel("predicted", fontsize=8)
        ax.set_ylabel("true", fontsize=8)
    for ax in panels[len(named) :]:
        ax.set_axis_off()
    return figure


def learning_curves(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw training and validation accuracy against epoch, one panel a training."""
    columns = min(4, len(histories))
    rows = -(-len(histories) // columns)
    figure = Figure(figsize=(3.1 * columns, 2.5 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for ax, (title, history) in zip(panels, histories.items(), strict=False):
        tidy_axes(ax, title=title, x="epoch")
        for colour, part in zip(COLOURS, ("train", "validation"), strict=False):
            ax.plot(history["epoch"], history[f"{part}_accuracy"], color=colour, label=part)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    for ax in panels[len(histories) :]:
        ax.set_axis_off()
    panels[0].set_ylabel("accuracy", fontsize=9)
    panels[0].legend(fontsize=8, frameon=False)
    return figure


def growth(paths: pd.DataFrame, fits: pd.DataFrame, factors: Sequence[float]) -> Figure:
    """Draw the paper's figure 2: parameters against iteration for each factor and layer scope.

    Parameters
    ----------
    paths : DataFrame
        Columns network, scope (which convolutions shrink), factor (percent), iteration,
        num_parameters.
    fits : DataFrame
        Columns network, scope, factor, model, r2.
    factors : sequence of float
        The factors to draw, in percent, one colour each.

    Returns
    -------
    Figure
        A row a network, a column a scope. Each panel gives R² of each law at the first factor.
    """
    networks, scopes = list(dict.fromkeys(paths["network"])), list(dict.fromkeys(paths["scope"]))
    size = (3.1 * len(scopes), 2.5 * len(networks))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(networks), len(scopes), squeeze=False, sharex=True)
    for row, network in enumerate(networks):
        for column, scope in enumerate(scopes):
            chosen = (paths["network"] == network) & (paths["scope"] == scope)
            ax = tidy_axes(panels[row, column], title=f"{network}, {scope}")
            for colour, factor in zip(COLOURS, factors, strict=False):
                path = paths[chosen & (paths["factor"] == factor)]
                millions = path["num_parameters"] / 1e6
                ax.plot(path["iteration"], millions, "o-", ms=3, c=colour, label=f"{factor:g} %")
            here = (fits["network"] == network) & (fits["scope"] == scope)
            laws = fits[here & (fits["factor"] == factors[0])]
            said = [f"{law['model']} R² {law['r2']:.3f}" for _, law in laws.iterrows()]
            ax.text(
                0.97,
                0.95,
                "\n".join([f"at {factors[0]:g} %:", *said]),
                transform=ax.transAxes,
                fontsize=7,
                ha="right",
                va="top",
            )
    handles, names = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=4, fontsize=8, frameon=False)
    figure.supxlabel("pruning iteration", fontsize=9)
    figure.supylabel("parameters, millions", fontsize=9)
    return figure
