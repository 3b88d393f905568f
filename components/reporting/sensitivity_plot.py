"""Picture of a sensitivity scan."""

from typing import Protocol

import numpy as np
from matplotlib.figure import Figure

from slimderm.components.reporting.style import tidy_axes


class _Scan(Protocol):
    @property
    def unpruned(self) -> float: ...
    @property
    def values(self) -> dict[str, dict[float, float]]: ...


def sensitivity_plot(scan: _Scan, label: str = "accuracy") -> Figure:
    """Draw what a model is worth when one group of layers alone is pruned.

    Parameters
    ----------
    scan : Sensitivity
        As `slimderm.components.pruning.sensitivity.sensitivity` gives it.
    label : str
        What was measured, for a person.

    Returns
    -------
    Figure
        A row a group of layers, from input to output, and a column a ratio; the value stands in
        each field, and the colour tells how far it is below the whole model's.
    """
    names = list(scan.values)
    ratios = list(next(iter(scan.values.values()), {}))
    grid = np.array([[scan.values[name][ratio] for ratio in ratios] for name in names])
    grid = grid.reshape(len(names), len(ratios))
    size = (3 + 0.8 * len(ratios), 1.4 + 0.22 * len(names))
    figure = Figure(figsize=size, layout="constrained")
    title = f"{label}, {scan.unpruned:.3f} unpruned"
    ax = tidy_axes(figure.subplots(), title=title, x="ratio of the layer's channels removed")
    ax.grid(visible=False)
    lost = scan.unpruned - grid
    most = max(float(np.max(lost, initial=0)), 1e-12)
    ax.imshow(lost, cmap="Blues", vmin=0, vmax=most, aspect="auto")
    ax.set_xticks(range(len(ratios)), [f"{ratio:g}" for ratio in ratios])
    ax.set_yticks(range(len(names)), names)
    for (row, column), value in np.ndenumerate(grid):
        colour = "white" if lost[row, column] > 0.6 * most else "black"
        ax.text(column, row, f"{value:.3f}", ha="center", va="center", fontsize=7, color=colour)
    return figure
