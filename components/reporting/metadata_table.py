"""What age, sex and site contribute to each unpruned network."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

METRIC = "test_balanced_accuracy"


def metadata_table(
    records: Sequence[Mapping[str, Any]], ablations: Mapping[str, Mapping[str, Any]]
) -> pd.DataFrame:
    """Put permutation importance beside the network that was trained on images alone.

    Parameters
    ----------
    records : sequence of mapping
        Unpruned trainings with metadata: ``network``, ``metrics``, ``intervals``, ``permutation``
        (as `slimderm.components.inspection.permutation.permutation_importance` gives its rows).
    ablations : mapping
        Network to the record of its training on images alone.

    Returns
    -------
    DataFrame
        One row a network: test balanced accuracy with metadata and on images alone, each with its
        interval, then for each column of the metadata what validation loses when it is permuted
        (``<column>_lost``) and the share of predictions that change (``<column>_changed``).
    """
    rows = []
    for record in records:
        row: dict[str, Any] = {"network": record["network"]}
        row |= _judged("with_metadata", record)
        if record["network"] in ablations:
            row |= _judged("image_only", ablations[record["network"]])
        for found in record["permutation"]:
            row[f"{found['column']}_lost"] = found["balanced_accuracy_lost"]
            row[f"{found['column']}_changed"] = found["predictions_changed"]
        rows.append(row)
    return pd.DataFrame(rows)


def _judged(name: str, record: Mapping[str, Any]) -> dict[str, float]:
    low, high = record["intervals"][METRIC]
    return {name: record["metrics"][METRIC], f"{name}_low": low, f"{name}_high": high}
