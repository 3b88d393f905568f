"""Pictures of what pruned networks have in common: CKA as heat maps, features side by side."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from components.reporting.plots import tidy_axes

Images = npt.NDArray[Any]


def heat_maps(named: Mapping[str, npt.NDArray[np.float64]], *, title: str) -> Figure:
    """Draw the similarity of every pair of layers, one panel a pair of networks.

    Parameters
    ----------
    named : mapping
        Title of the panel (``unpruned, one-shot``: rows, columns) to CKA, (L, M).
    title : str
        Above all panels.
    """
    columns = min(3, len(named))
    rows = -(-len(named) // columns)
    figure = Figure(figsize=(3.4 * columns + 0.8, 3.3 * rows + 0.4), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, (name, values) in zip(panels, named.items(), strict=False):
        shown = ax.imshow(values, origin="lower", vmin=0, vmax=1, cmap="magma", aspect="auto")
        first, second = name.split(", ")
        tidy_axes(ax, title=name, x=f"layer of {second}", y=f"layer of {first}").grid(visible=False)
    for ax in panels[len(named) :]:
        ax.set_axis_off()
    figure.colorbar(shown, ax=list(panels), label="linear CKA, unbiased", shrink=0.7)
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    return figure


def feature_rows(image: Images, rows: Mapping[str, tuple[Images, Images, Images]]) -> Figure:
    """Draw networks below each other: Grad-CAM over the image, activation maps, filters.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W, 3) uint8.
    rows : mapping
        Network to its Grad-CAM (H, W), its activation maps and its filters, all in [0, 1].
    """
    maps = max(len(row[1]) for row in rows.values())
    filters = max(len(row[2]) for row in rows.values())
    figure = Figure(figsize=(1.15 * (2 + maps + filters), 1.3 * len(rows)), layout="constrained")
    panels = figure.subplots(len(rows), 2 + maps + filters, squeeze=False)
    for line, (name, (cam, activations, kernels)) in zip(panels, rows.items(), strict=True):
        line[0].imshow(image)
        line[0].set_title(name, fontsize=8, loc="left")
        line[1].imshow(image)
        line[1].imshow(cam, cmap="jet", alpha=0.45, vmin=0, vmax=1)
        for ax, one in zip(line[2:], activations, strict=False):
            ax.imshow(one, cmap="viridis")
        for ax, one in zip(line[2 + maps :], kernels, strict=False):
            ax.imshow(one.squeeze(), cmap="gray", vmin=0, vmax=1)
    for ax in panels.ravel():
        ax.set_axis_off()
    for start, label in ((1, "Grad-CAM"), (2, "activation maps"), (2 + maps, "filters")):
        panels[0][start].set_title(label, fontsize=8, loc="left")
    return figure
