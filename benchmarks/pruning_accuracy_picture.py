"""The picture of ``benchmarks/pruning_accuracy.py``: balanced accuracy against latency."""

import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.pruning_accuracy_table import CONTROL, METRIC, UNPRUNED, Row
from slimderm.components.reporting.style import COLOURS, GREY, number_logarithmic, tidy_axes

LOOKS = {"SlimDerm": (COLOURS[0], "osvP"), "Torch-Pruning": (COLOURS[1], "^D<X")}
LINES = ("-", "--", "-.", ":")
CHANCE = "random"
BY_CHANCE = {"color": GREY, "marker": "x", "linestyle": ":"}


def picture(rows: Sequence[Row], path: Path) -> None:
    """Draw each way as a line, the control as a band, and write the PNG."""
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    ax = tidy_axes(
        figure.subplots(),
        title="HAM10000, seven classes; above: share of the multiply-accumulates that is left",
        x="milliseconds an image, ONNX Runtime on one thread",
        y="balanced accuracy on test",
    )
    ax.set_title(ax.get_title(loc="left"), fontsize=10, loc="left", pad=18)
    _unpruned(ax, rows)
    for side, (colour, markers) in LOOKS.items():
        ways = dict.fromkeys(row["way"] for row in rows if row["side"] == side)
        for way, marker, line in zip(
            [w for w in ways if w != CHANCE], markers, LINES, strict=False
        ):
            look = {"color": colour, "marker": marker, "linestyle": line}
            _line(ax, rows, side, way, label=f"{side}: {way}", **look)
        if CHANCE in ways:
            _line(ax, rows, side, CHANCE, label="chosen by chance", **BY_CHANCE)
    ax.set_xscale("log")
    number_logarithmic(ax.xaxis)
    for share in dict.fromkeys(row["share"] for row in rows if row["share"] < 1):
        ms = np.exp(np.mean([np.log(row["ms"]) for row in rows if row["share"] == share]))
        place = {"transform": ax.get_xaxis_transform(), "ha": "center", "va": "bottom"}
        ax.text(ms, 1.01, str(Fraction(share)), fontsize=8, color=GREY, **place)
    handles, names = ax.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _unpruned(ax: Axes, rows: Sequence[Row]) -> None:
    for way, face in ((CONTROL, GREY), (UNPRUNED, "white")):
        row = next(row for row in rows if row["way"] == way)
        value, low, high = row[METRIC]
        label = f"unpruned, {way}"
        if way == CONTROL:
            ax.axhspan(low, high, color=GREY, alpha=0.12, lw=0)
            label += ", with its interval"
        ax.plot(row["ms"], value, "o", color=GREY, mfc=face, ms=6, label=label)


def _line(ax: Axes, rows: Sequence[Row], side: str, way: str, **look: str) -> None:
    own = sorted((r for r in rows if (r["side"], r["way"]) == (side, way)), key=lambda r: r["ms"])
    value, low, high = np.array([row[METRIC] for row in own]).T
    ax.errorbar(
        [row["ms"] for row in own],
        value,
        [value - low, high - value],
        markersize=5,
        linewidth=1.2,
        elinewidth=0.6,
        alpha=0.9,
        **look,
    )
