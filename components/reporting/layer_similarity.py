"""Pictures of what pruned networks have in common: CKA as heat maps, features side by side."""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from slimderm.components.reporting.style import tidy_axes

Images = npt.NDArray[Any]
NAMED = 24  # layers of which an axis has room for the names; of more, every so many are named


def heat_maps(named: Mapping[str, pd.DataFrame], *, title: str) -> Figure:
    """Draw the similarity of every pair of layers, one panel a pair of networks.

    Parameters
    ----------
    named : mapping
        Title of the panel (``unpruned, one-shot``: rows, columns) to CKA, with layers by name as
        rows and columns. NaN is drawn in grey: a layer that says the same of every image.
    title : str
        Above all panels.
    """
    columns = min(3, len(named))
    rows = -(-len(named) // columns)
    figure = Figure(figsize=(3.9 * columns + 0.8, 3.8 * rows + 0.4), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    colours = mpl.colormaps["magma"].with_extremes(bad="#bbbbbb")
    for ax, (name, values) in zip(panels, named.items(), strict=False):
        shown = ax.imshow(values, origin="lower", vmin=0, vmax=1, cmap=colours, aspect="auto")
        first, second = name.split(", ")
        tidy_axes(ax, title=name, x=f"layer of {second}", y=f"layer of {first}").grid(visible=False)
        for ticks, layers in ((ax.set_xticks, values.columns), (ax.set_yticks, values.index)):
            places = range(0, len(layers), -(-len(layers) // NAMED))
            ticks(places, layers[places], fontsize=6)
        ax.tick_params(axis="x", rotation=90)
    for ax in panels[len(named) :]:
        ax.set_axis_off()
    figure.colorbar(shown, ax=list(panels), shrink=0.7).set_label(
        "linear CKA, unbiased\n(grey: the same for every image)", fontsize=8
    )
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    return figure


def feature_rows(
    image: Images, rows: Mapping[str, tuple[Images, Images, Images]], *, title: str
) -> Figure:
    """Draw networks below each other: Grad-CAM over the image, activation maps, filters.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W, 3) uint8.
    rows : mapping
        Network to its Grad-CAM (H, W), its activation maps and its filters, all in [0, 1].
    title : str
        Above all rows.
    """
    maps = max(len(row[1]) for row in rows.values())
    filters = max(len(row[2]) for row in rows.values())
    width, height = 1.15 * (2 + maps + filters), 1.3 * len(rows) + 0.3
    figure = Figure(figsize=(width, height), layout="constrained")
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
        ax.set_anchor("N")  # or labels above images and filters stand at two heights
    for start, label in ((1, "Grad-CAM"), (2, "activation maps"), (2 + maps, "filters")):
        panels[0][start].set_title(label, fontsize=8, loc="left")
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    return figure
