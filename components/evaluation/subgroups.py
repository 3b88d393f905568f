"""How good a classifier is for groups of people: by age, sex, site, skin."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from slimderm.components.evaluation.bootstrap import bootstrap_intervals
from slimderm.components.evaluation.comparison import rows_of
from slimderm.components.evaluation.metrics import Probabilities, classification_metrics

MIN_LESIONS = 20  # with fewer, an interval says nothing
AGES = (0, 30, 45, 60, 75)  # years: where each band begins
UNKNOWN = "unknown"
SHOWN = ("accuracy", "balanced_accuracy", "melanoma_sensitivity", "auroc")


def age_bands(ages: "pd.Series[float]") -> "pd.Series[str]":
    """Name the band of each age in years: ``0 to 29`` up to ``75 and more``; NaN is ``unknown``."""
    ends = [f"to {after - 1}" for after in AGES[1:]] + ["and more"]
    names = [f"{begin} {end}" for begin, end in zip(AGES, ends, strict=True)]
    bands = pd.cut(ages, [*AGES, np.inf], right=False, labels=names)
    return bands.astype(object).where(ages.notna(), UNKNOWN).astype(str)


def measured(
    labels: npt.NDArray[np.int64],
    probabilities: Probabilities,
    lesions: npt.NDArray[np.str_],
    *,
    melanoma: int | None,
    **resampling: Any,
) -> dict[str, tuple[float, float, float]]:
    """Every metric with its interval over lesions.

    Parameters
    ----------
    labels, probabilities, lesions, melanoma
        As for `slimderm.components.evaluation.bootstrap.bootstrap_intervals`.
    **resampling
        Its ``num_samples``, ``confidence`` and ``seed``.

    Returns
    -------
    dict
        Metric to value, low and high; NaN where undefined.
    """
    values = classification_metrics(labels, probabilities, melanoma=melanoma)
    intervals = bootstrap_intervals(labels, probabilities, lesions, melanoma=melanoma, **resampling)
    return {name: (value, *intervals[name]) for name, value in values.items()}


def subgroup_table(
    labels: npt.NDArray[np.int64],
    probabilities: Probabilities,
    lesions: npt.NDArray[np.str_],
    groups: Mapping[str, npt.NDArray[np.str_]],
    *,
    melanoma: int | None,
    **resampling: Any,
) -> pd.DataFrame:
    """Measure each group by itself.

    Parameters
    ----------
    labels, probabilities, lesions, melanoma, **resampling
        As for `measured`.
    groups : mapping
        What people are grouped by, such as ``sex``, to the group of each image, (N,).

    Returns
    -------
    DataFrame
        A row a group, in order of their names: ``by``, ``group``, ``num_images``, ``num_lesions``,
        ``note``, and `SHOWN`, each followed by its interval's ``_low`` and ``_high``. A group of
        fewer than `MIN_LESIONS` lesions has no figures, and ``note`` says so.
    """
    rows = []
    for by, names in groups.items():
        for name in np.unique(names):
            chosen = names == name
            count = len(np.unique(lesions[chosen]))
            row: dict[str, Any] = {"by": by, "group": str(name)}
            row |= {"num_images": int(chosen.sum()), "num_lesions": count}
            if count < MIN_LESIONS:
                note = f"too small to judge: fewer than {MIN_LESIONS} lesions"
                rows.append(row | {"note": note})
                continue
            found = measured(
                labels[chosen],
                probabilities[chosen],
                lesions[chosen],
                melanoma=melanoma,
                **resampling,
            )
            lacks = melanoma is not None and not (labels[chosen] == melanoma).any()
            rows.append(
                row | {"note": "no melanoma in it" if lacks else ""} | rows_of(SHOWN, found)
            )
    return pd.DataFrame(rows)
