"""Pictures of recipes: bytes and latency against accuracy, and the Pareto front."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, NullFormatter, NullLocator

from slimderm.components.reporting.style import COLOURS, GREY, tidy_axes

MARKERS = "os^Dv<>Pp"


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
                label="on the front of bytes, operations and accuracy"
                if front
                else "dominated, or dropped before the last round",
            )
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        ax.tick_params(axis="x", labelsize=7)
    figure.axes[0].set_ylabel(label)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return figure


def recipe_paths(ledger: pd.DataFrame, metric: str, label: str) -> Figure:
    """Draw what each recipe's passes left, from the network that it starts from to its last.

    Parameters
    ----------
    ledger : DataFrame
        A row a network, in order: ``network``, ``notation`` (recipe: pass), ``slim_bytes``, the
        metric, its interval's ``low`` and ``high``.
    metric : str
        Column on the vertical axis, a share.
    label : str
        Its name for a person.

    Returns
    -------
    Figure
        A panel a network, a colour and marker a recipe; intervals are those of last networks.
    """
    networks = list(ledger["network"].unique())
    figure = Figure(figsize=(5.5 * len(networks) + 2, 4.4), layout="constrained")
    panels = figure.subplots(1, len(networks), squeeze=False)[0]
    for ax, network in zip(panels, networks, strict=True):
        rows = ledger[ledger["network"] == network]
        tidy_axes(ax, title=network, x="bytes of the .slim file", y=label)
        for index, (name, path) in enumerate(_by_recipe(rows)):
            colour, last = COLOURS[index % len(COLOURS)], path.iloc[-1]
            ax.plot(path["slim_bytes"], path[metric], "-", color=colour, lw=0.8, alpha=0.6)
            ax.errorbar(
                last["slim_bytes"],
                last[metric],
                [[max(0, last[metric] - last["low"])], [max(0, last["high"] - last[metric])]],
                fmt=MARKERS[index % len(MARKERS)],
                color=colour,
                markersize=5,
                elinewidth=0.6,
                label=name,
            )
        starts = rows.drop_duplicates("slim_bytes")
        starts = starts[starts["notation"].str.endswith(": start")]
        ax.plot(starts["slim_bytes"], starts[metric], "o", color=GREY, ms=6, label="start")
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(EngFormatter(sep=""))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _by_recipe(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    names = rows["notation"].str.partition(": ")[0]
    return [(name, rows[names == name]) for name in names.unique()]
