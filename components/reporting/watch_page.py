"""The page of a look at inputs: what changed since training, and how right the answers were."""

import base64
import io
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from slimderm.components.reporting.page import Section, heading
from slimderm.components.reporting.style import COLOURS, GREY, tidy_axes

PANELS, ACROSS = 8, 4  # pictures of the numbers that moved most
WARNING = (
    "Not a medical device. Drift says that inputs look different, not that answers are wrong; no "
    "drift does not say that they are right: only labels do."
)


def watch_sections(
    said: Sequence[str],
    *,
    table: pd.DataFrame | None,
    reference: pd.DataFrame | None,
    inputs: pd.DataFrame,
    labels_said: Sequence[str],
    accuracy: pd.DataFrame | None,
) -> list[Section]:
    """Lay out the page.

    Parameters
    ----------
    said : sequence of str
        What was compared with what, and what was found.
    table : DataFrame or None
        A row a statistic; None where nothing was compared.
    reference, inputs : DataFrame
        A row a picture; ``reference`` None where nothing was compared.
    labels_said : sequence of str
        Which labels came.
    accuracy : DataFrame or None
        A row a figure and month.

    Returns
    -------
    list of Section
        Pictures are part of it, as data addresses.
    """
    compared = table is not None and reference is not None
    pictures = {_inside(distributions(table, reference, inputs)): "inputs and reference"}
    return [
        Section("What was found", [*said, WARNING], table),
        *([Section("Inputs beside the reference", (), None, pictures)] if compared else []),
        Section("Labels that came later", labels_said, accuracy),
    ]


def distributions(
    table: pd.DataFrame | None, reference: pd.DataFrame | None, inputs: pd.DataFrame
) -> Figure:
    """Draw the share of pictures up to each value, for the numbers that moved most."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    if table is None or reference is None:
        return figure
    names = [
        name
        for name in table["statistic"]
        if name in reference and pd.api.types.is_numeric_dtype(reference[name])
    ][:PANELS]
    axes = figure.subplots(-(-len(names) // ACROSS), ACROSS, squeeze=False, sharey=True).flat
    drifted = set(table.loc[table["drifted"], "statistic"])
    for ax, name in zip(axes, names, strict=False):
        title = f"{heading(name)}: drifted" if name in drifted else heading(name)
        tidy_axes(ax, title=title)
        for label, colour, frame in (
            ("reference", GREY, reference),
            ("inputs", COLOURS[1] if name in drifted else COLOURS[0], inputs),
        ):
            values = np.sort(frame[name].dropna().to_numpy(float))
            ax.step(values, np.arange(1, len(values) + 1) / len(values), color=colour, label=label)
        ax.legend(fontsize=7, frameon=False)
    for ax in list(axes)[len(names) :]:
        ax.set_axis_off()
    return figure


def _inside(figure: Figure) -> str:
    """Give a figure as an address that holds it."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
