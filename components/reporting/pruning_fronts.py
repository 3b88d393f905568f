"""Studies of pruning as pictures and tables: what each pruning method costs, and what is left."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from slimderm.components.reporting.style import COLOURS, GREY, tidy_axes

METHOD_COLOURS = COLOURS[:5]  # the last is too like the grey of the unpruned network

METRICS = {
    "balanced_accuracy": "balanced accuracy",
    "melanoma_sensitivity": "melanoma sensitivity",
    "accuracy": "accuracy",
}
SHOWN = ("balanced_accuracy", "melanoma_sensitivity")
COSTS = {
    "num_parameters": "parameters",
    "bytes": "bytes on disk",
    "latency_p50_ms": "milliseconds an image",
}
MARKERS = "os^Dv<>Pp"
STYLES = ("-", "--", ":", "-.")


def fronts(summary: pd.DataFrame, *, title: str, costs: Sequence[str] = tuple(COSTS)) -> Figure:
    """Draw each pruning method as a line: worth on test against cost.

    Parameters
    ----------
    summary : DataFrame
        One row a method and ratio: ``method``, ``num_parameters``, ``bytes``, ``latency_p50_ms``,
        and each metric with ``_low`` and ``_high``. The method ``unpruned`` is a grey band.
    title : str
        What is studied.
    costs : sequence of str
        Some of `COSTS`.

    Returns
    -------
    Figure
        Rows are metrics, columns are costs; error bars are intervals, where methods are few.
    """
    metrics = [name for name in SHOWN if name in summary]
    figure = Figure(
        figsize=(4.2 * max(2, len(costs)), 3.4 * len(metrics) + 0.9), layout="constrained"
    )
    panels = figure.subplots(len(metrics), len(costs), squeeze=False)
    for row, metric in zip(panels, metrics, strict=True):
        for ax, cost in zip(row, costs, strict=True):
            tidy_axes(ax, title=METRICS[metric] if ax is row[0] else "", x=COSTS[cost])
            _front(ax, summary, metric, cost)
    handles, names = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    return figure


def _front(ax: Axes, summary: pd.DataFrame, metric: str, cost: str) -> None:
    methods = [method for method in summary["method"].unique() if method != "unpruned"]
    whole = summary[summary["method"] == "unpruned"]
    for _, row in whole.iterrows():
        ax.axhspan(row[f"{metric}_low"], row[f"{metric}_high"], color=GREY, alpha=0.12, lw=0)
        ax.axhline(row[metric], color=GREY, lw=0.8, label="unpruned, with its interval")
        ax.plot(row[cost], row[metric], "o", color=GREY, ms=4)
    for index, method in enumerate(methods):
        rows = summary[summary["method"] == method].sort_values("ratio", ascending=False)
        colour = METHOD_COLOURS[index % len(METHOD_COLOURS)]
        # The same places on a logarithmic axis, set apart by a hair so that error bars do not hide.
        shift = 1 + 0.03 * (index - len(methods) / 2)
        ax.errorbar(
            rows[cost] * shift,
            rows[metric],
            [rows[metric] - rows[f"{metric}_low"], rows[f"{metric}_high"] - rows[metric]],
            color=colour,
            linestyle=STYLES[index // len(METHOD_COLOURS)],
            marker=MARKERS[index % len(MARKERS)],
            markersize=4,
            linewidth=1.1,
            elinewidth=0.5,
            alpha=0.9,
            label=method,
        )
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if _narrow(summary[cost]) else (1,)))
    ax.xaxis.set_major_formatter(EngFormatter(sep=""))
    ax.xaxis.set_minor_formatter(NullFormatter())


def _narrow(values: pd.Series) -> bool:
    return bool(values.max() < 30 * values.min())


def table(summary: pd.DataFrame) -> pd.DataFrame:
    """Lay out a study for reading: values with their intervals in one cell.

    Where methods with masks are among them, a column says what share of the weights is zero, beside
    the parameters and bytes that did not shrink.
    """
    masked = summary["sparsity"].notna().any()
    rows = []
    for _, row in summary.iterrows():
        cells = {
            "method": row["method"],
            "ratio": f"{100 * row['ratio']:g}%" if row["ratio"] else "",
            "zero weights": "" if pd.isna(row["sparsity"]) else f"{row['sparsity']:.1%}",
            "parameters": f"{int(row['num_parameters']):,}",
            "M mult.-acc.": f"{row['multiply_accumulates'] / 1e6:.1f}",
            "MB": f"{row['bytes'] / 1e6:.2f}",
            "p50 ms": f"{row['latency_p50_ms']:.1f}",
        }
        cells |= {label: with_interval(row, name) for name, label in METRICS.items() if name in row}
        rows.append(cells)
    shown = pd.DataFrame(rows)
    return shown if masked else shown.drop(columns="zero weights")


def verdicts(differences: pd.DataFrame) -> pd.DataFrame:
    """Lay out for reading how networks differ: a row a pair of networks.

    Parameters
    ----------
    differences : DataFrame
        ``method``, ``ratio``, ``against``, ``verdict`` (NaN where a row compares no two networks),
        and each metric with ``_low`` and ``_high``.

    Returns
    -------
    DataFrame
        Differences in percentage points.
    """
    rows = []
    for _, row in differences.iterrows():
        cells = {
            "method": row["method"],
            "ratio": f"{100 * row['ratio']:g}%" if row["ratio"] else "",
            "against": row["against"],
        }
        cells |= {f"{METRICS[name]}, points": _points(row, name) for name in SHOWN if name in row}
        rows.append(cells | {"verdict": "" if pd.isna(row["verdict"]) else row["verdict"]})
    return pd.DataFrame(rows)


def _points(row: pd.Series, name: str) -> str:
    value, low, high = (100 * row[column] for column in (name, f"{name}_low", f"{name}_high"))
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})"


def with_interval(row: pd.Series, name: str) -> str:
    """Write a value with its interval, e.g. ``0.671 (0.612 to 0.730)``."""
    value, low, high = (row[column] for column in (name, f"{name}_low", f"{name}_high"))
    return f"{value:.3f} ({low:.3f} to {high:.3f})"
