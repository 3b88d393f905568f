"""Accuracy and loss against epoch of every pruning method, side by side."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from slimderm.components.reporting.style import COLOURS, GREY, tidy_axes

STYLES = {"train": ":", "validation": "-"}


def curves(histories: pd.DataFrame, *, title: str) -> Figure:
    """Draw a row of two panels for each pruning method: accuracy and loss.

    Parameters
    ----------
    histories : DataFrame
        One row an epoch of one network: ``method``, ``ratio`` (share of channels that went, 0 for
        the unpruned network), ``cut`` (which of its pruning steps the epoch follows, from
        1), ``epoch`` (from 1, over all steps), ``train_accuracy``, ``validation_accuracy``,
        ``train_loss``, ``validation_loss``.
    title : str
        What is studied.

    Returns
    -------
    Figure
        Solid lines are validation, dotted ones training (augmented, with dropout); a colour a
        ratio; a grey line where the network was cut again. The panels of a column share their
        scale.
    """
    methods = list(dict.fromkeys(histories["method"]))
    figure = Figure(figsize=(7.6, 1.7 * len(methods) + 1.0), layout="constrained")
    panels = figure.subplots(len(methods), 2, squeeze=False, sharey="col")
    ratios = sorted(set(histories["ratio"]))
    for method, row in zip(methods, panels, strict=True):
        own = histories[histories["method"] == method]
        for ax, measure in zip(row, ("accuracy", "loss"), strict=True):
            tidy_axes(
                ax,
                title=f"{method}: {measure}" if measure == "accuracy" else measure,
                x="epoch" if method == methods[-1] else "",
            )
            ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            ax.set_xlim(0.5, own["epoch"].max() + 0.5)  # one epoch is a point in the middle
            starts = own.groupby(["ratio", "cut"])["epoch"].min()
            for epoch in sorted(set(starts) - {1}):
                ax.axvline(epoch - 0.5, color=GREY, alpha=0.4, linewidth=0.8, zorder=0)
            for ratio, each in own.groupby("ratio"):
                for part, style in STYLES.items():
                    ax.plot(
                        each["epoch"],
                        each[f"{part}_{measure}"],
                        style,
                        marker=".",
                        markersize=4,
                        color=COLOURS[ratios.index(ratio) % len(COLOURS)],
                        label=f"{_named(ratio)}, {part}",
                    )
    handles: dict[str, Any] = {}
    for ax in panels[:, 0]:
        found, labels = ax.get_legend_handles_labels()
        handles |= dict(zip(labels, found, strict=True))
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center",
        ncols=min(4, len(handles)),
        fontsize=8,
        frameon=False,
    )
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    return figure


def _named(ratio: float) -> str:
    return f"{100 * ratio:g}% pruned" if ratio else "unpruned"
