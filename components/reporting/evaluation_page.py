"""The page of an evaluation on somebody's images; every picture lies in the page itself."""

import base64
import io
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from slimderm.components.reporting.model_card import reliability_plot
from slimderm.components.reporting.page import Section, heading
from slimderm.components.reporting.training_plots import confusion_matrices

WARNING = (
    "Not a medical device. These figures hold for images like these and for nothing else: a folder "
    "is a sample, often with other frequencies than a clinic sees."
)


def metrics_table(metrics: Mapping[str, tuple[float, float, float]]) -> pd.DataFrame:
    """Lay out metrics with their intervals: ``metric``, ``value``, ``low``, ``high``."""
    return pd.DataFrame(
        [
            {"metric": heading(name), "value": value, "low": low, "high": high}
            for name, (value, low, high) in metrics.items()
        ]
    )


def evaluation_sections(
    said: Mapping[str, list[str]],
    *,
    metrics: Mapping[str, tuple[float, float, float]],
    record: Mapping[str, Any],
    bins: Mapping[str, pd.DataFrame],
    subgroups: pd.DataFrame,
    left_out: pd.DataFrame,
) -> list[Section]:
    """Lay out the page.

    Parameters
    ----------
    said : mapping
        Sentences under ``judged``, ``calibration`` and ``subgroups``.
    metrics : mapping
        Metric to value, low, high.
    record : mapping
        ``confusion`` (rows true, columns predicted) and ``classes``.
    bins : mapping
        Name to a table of `slimderm.components.evaluation.calibration.reliability`.
    subgroups : DataFrame
        As `slimderm.components.evaluation.subgroups.subgroup_table` gives it.
    left_out : DataFrame
        ``reason``, ``num_images``, ``num_lesions``.

    Returns
    -------
    list of Section
        Pictures are part of it, as data addresses.
    """
    confusion = confusion_matrices({"": record})
    reliability = reliability_plot(bins, title="Reliability on these images")
    return [
        Section("What was judged", [*said["judged"], WARNING], left_out),
        Section(
            "Figures",
            ["Low and high bound the interval over resampled lesions. Shares, from 0 to 1."],
            metrics_table(metrics),
        ),
        Section(
            "Confusion",
            ["Rows are the labels of the folder, columns what was predicted; images."],
            None,
            {_inside(confusion): "confusion matrix"},
        ),
        Section(
            "Calibration",
            said["calibration"],
            None,
            {_inside(reliability): "accuracy against confidence"},
        ),
        Section("Groups of people", said["subgroups"], subgroups),
    ]


def _inside(figure: Figure) -> str:
    """Give a figure as an address that holds it."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
