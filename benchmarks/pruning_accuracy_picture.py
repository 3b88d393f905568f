"""The picture of ``benchmarks/pruning_accuracy.py``: balanced accuracy against latency."""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.pruning_accuracy_table import CONTROL, METRIC, UNPRUNED, Row
from slimderm.components.reporting.style import COLOURS, GREY, number_logarithmic, tidy_axes

LOOKS = {"SlimDerm": (COLOURS[0], "os"), "Torch-Pruning": (COLOURS[1], "^D")}
RANDOM = {"color": GREY, "marker": "x", "linestyle": ":"}


def picture(rows: Sequence[Row], path: Path) -> None:
    """Draw each way as a line, the control as a band, and write the PNG."""
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    ax = tidy_axes(
        figure.subplots(),
        title="HAM10000, seven classes: what each way of pruning leaves",
        x="milliseconds an image, ONNX Runtime on one thread",
        y="balanced accuracy on test",
    )
    control = next(row for row in rows if row["way"] == CONTROL)
    _, low, high = control[METRIC]
    ax.axhspan(low, high, color=GREY, alpha=0.12, lw=0)
    for way, face in ((CONTROL, GREY), (UNPRUNED, "white")):
        row = next(row for row in rows if row["way"] == way)
        label = f"unpruned, {way}" + (", with its interval" if way == CONTROL else "")
        ax.plot(row["ms"], row[METRIC][0], "o", color=GREY, mfc=face, ms=6, label=label)
    seen: dict[str, list[str]] = {}
    for side, way in dict.fromkeys((row["side"], row["way"]) for row in rows):
        if side not in LOOKS:
            continue
        own = sorted(
            (row for row in rows if (row["side"], row["way"]) == (side, way)),
            key=lambda row: row["ms"],
        )
        place = len(seen.setdefault(side, []))
        seen[side].append(way)
        colour, markers = LOOKS[side]
        look = {"color": colour, "marker": markers[place % 2], "linestyle": ("-", "--")[place % 2]}
        middle, low, high = zip(*(row[METRIC] for row in own), strict=True)
        ax.errorbar(
            [row["ms"] for row in own],
            middle,
            [
                [a - b for a, b in zip(middle, low, strict=True)],
                [b - a for a, b in zip(middle, high, strict=True)],
            ],
            markersize=5,
            linewidth=1.2,
            elinewidth=0.6,
            alpha=0.9,
            label="random choice" if way == "random" else f"{side}: {way}",
            **(RANDOM if way == "random" else look),
        )
    ax.set_xscale("log")
    number_logarithmic(ax.xaxis)
    handles, names = ax.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Software": None})
