"""The colours and axes that all pictures share."""

from matplotlib.axes import Axes

COLOURS = ("#1b6ca8", "#d1495b", "#2e933c", "#8d5a97", "#e08e1b", "#5f6b73")
GREY = "#5f6b73"


def tidy_axes(ax: Axes, *, title: str, x: str = "", y: str = "") -> Axes:
    """Give a panel its labels and the house's looks."""
    ax.set_title(title, fontsize=10, loc="left")
    ax.set_xlabel(x, fontsize=9)
    ax.set_ylabel(y, fontsize=9)
    ax.tick_params(labelsize=8)
    ax.grid(visible=True, alpha=0.25, linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)
    return ax
