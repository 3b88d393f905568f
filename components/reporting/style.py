"""The colours and axes that all pictures share."""

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import Formatter, FuncFormatter, LogLocator, NullFormatter

COLOURS = ("#1b6ca8", "#d1495b", "#2e933c", "#8d5a97", "#e08e1b", "#5f6b73")
GREY = "#5f6b73"
PLAIN = FuncFormatter(lambda value, _: f"{value:,g}")
# Where a logarithmic axis has numbers, by how many times its end is its beginning.
STEPS = ((1e3, (1,)), (5, (1, 2, 5)), (1, (1, 1.5, 2, 3, 4, 5, 6, 8)))


def tidy_axes(ax: Axes, *, title: str, x: str = "", y: str = "") -> Axes:
    """Give a panel its labels and the house's looks."""
    ax.set_title(title, fontsize=10, loc="left")
    ax.set_xlabel(x, fontsize=9)
    ax.set_ylabel(y, fontsize=9)
    ax.tick_params(labelsize=8)
    ax.grid(visible=True, alpha=0.25, linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def number_logarithmic(axis: Axis, formatter: Formatter = PLAIN) -> None:
    """Put numbers on an axis that is logarithmic already, on a short one, too."""
    low, high = axis.get_view_interval()
    steps = next(steps for span, steps in STEPS if high / low >= span)
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(formatter)
    axis.set_minor_formatter(NullFormatter())
