"""Labels of points that lie close together, set apart."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from slimderm.components.reporting.style import GREY

Floats = npt.NDArray[np.float64]
RINGS = (9, 11, 13, 16, 20, 25, 31, 38, 46, 56)  # points from mark to label
NEAR = 13  # up to which a label needs no line to its mark
ANGLES = (-45, -90, 45, 90, -135, 135, 0, 180, -65, 65, -115, 115, 20, -20, 160, -160)  # degrees
MARK = 3  # pixels around a point that no label covers
STEPS = 20  # points of a line between two of its ends that no label covers
ROOM = 1.0  # pixels between labels


def label_points(ax: Axes, points: Floats, labels: Sequence[str], *, fontsize: float = 7) -> None:
    """Write each label beside its point, clear of other labels, of points and of lines.

    If it can, a label stands nearer to its point than to any other. One that stands off has a thin
    line to it.

    Parameters
    ----------
    ax : Axes
        Of a figure in which everything else is drawn: its layout is settled here.
    points : float64 array of shape (N, 2)
        In data coordinates.
    labels : sequence of str
        N texts.
    fontsize : float
        In points.
    """
    figure = ax.get_figure(root=True)
    if figure is None:
        raise ValueError("ax: received axes of no figure, expected those of one that is drawn")
    figure.draw_without_rendering()
    lines = [line.get_path().interpolated(STEPS).vertices for line in ax.get_lines()]
    drawn = ax.transData.transform(np.concatenate([points, *lines]))
    taken = [Bbox.from_extents(*(place - MARK), *(place + MARK)) for place in drawn]
    places = ax.transData.transform(points)
    for index, label in enumerate(labels):
        text = ax.annotate(
            label,
            points[index],
            (0, 0),
            textcoords="offset points",
            fontsize=fontsize,
            ha="center",
            va="center",
        )
        extent = text.get_window_extent()
        offset, box = _place(np.array([extent.width, extent.height]), ax, places, index, taken)
        text.xyann = offset
        taken.append(box)
        if np.hypot(*offset) > NEAR + 0.5:
            line = {"arrowstyle": "-", "lw": 0.4, "color": GREY, "shrinkA": 5, "shrinkB": 3}
            ax.annotate("", points[index], offset, textcoords="offset points", arrowprops=line)


def _place(
    size: Floats, ax: Axes, places: Floats, index: int, taken: Sequence[Bbox]
) -> tuple[tuple[float, float], Bbox]:
    """Find where a label of some size in pixels goes: its offset in points, its box."""
    angles = np.radians(ANGLES)
    offsets = [(float(ring * np.cos(a)), float(ring * np.sin(a))) for ring in RINGS for a in angles]
    free = []
    for offset in offsets:
        middle = places[index] + np.array(offset) * ax.figure.dpi / 72
        box = Bbox.from_extents(*(middle - size / 2), *(middle + size / 2)).padded(ROOM)
        inside = ax.bbox.containsx(box.x0) and ax.bbox.containsx(box.x1)
        inside &= ax.bbox.containsy(box.y0) and ax.bbox.containsy(box.y1)
        if inside and not box.count_overlaps(taken):
            if np.linalg.norm(places - middle, axis=1).argmin() == index:
                return offset, box
            free.append((offset, box))
    return free[0] if free else (offsets[0], box)
