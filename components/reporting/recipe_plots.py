"""Pictures of recipes: bytes and latency against accuracy, and the Pareto front."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from slimderm.components.reporting.style import COLOURS, tidy_axes


def pareto_front(table: pd.DataFrame, metric: str, label: str) -> Figure:
    """Draw what recipes cost against what they are worth.

    Parameters
    ----------
    table : DataFrame
        A row a recipe: ``slim_bytes``, ``latency_p50_ms``, the metric, its interval's ``low`` and
        ``high``, ``front`` (bool) and ``notation``.
    metric : str
        Column on the vertical axis, a share.
    label : str
        Its name for a person.
    """
    figure = Figure(figsize=(9, 4), layout="constrained")
    for ax, column, title in zip(
        figure.subplots(1, 2, sharey=True),
        ("slim_bytes", "latency_p50_ms"),
        ("bytes of the .slim file", "latency of one image, ms"),
        strict=True,
    ):
        tidy_axes(ax, title="", x=title)
        for front, colour in ((False, "lightgrey"), (True, COLOURS[0])):
            rows = table[table["front"] == front].sort_values(column)
            errors = [rows[metric] - rows["low"], rows["high"] - rows[metric]]
            ax.errorbar(
                rows[column],
                rows[metric],
                yerr=[each.clip(lower=0) for each in errors],
                fmt="o",
                markersize=4,
                elinewidth=0.6,
                color=colour,
                label="on the front" if front else "dominated, or dropped before the last round",
            )
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        ax.tick_params(axis="x", labelsize=7)
    figure.axes[0].set_ylabel(label)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return figure
