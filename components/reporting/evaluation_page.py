"""The page of an evaluation on somebody's images; every picture lies in the page itself."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from slimderm.components.reporting.embedding import figure_address
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
            {figure_address(confusion): "confusion matrix"},
        ),
        Section(
            "Calibration",
            said["calibration"],
            None,
            {figure_address(reliability): "accuracy against confidence"},
        ),
        Section("Groups of people", said["subgroups"], subgroups),
    ]
