"""Pictures of trainings: confusion matrices, learning curves."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from slimderm.components.reporting.style import COLOURS, tidy_axes


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
