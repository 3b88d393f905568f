"""From a run's records to the tables people read: the paper's tables 4, 5 and 6, and storage."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from slimderm.components.compression.savings import attribute, storage_saved

TRAINING_METRICS = ("accuracy", "precision", "recall", "balanced_accuracy")
TEST_METRICS = (*TRAINING_METRICS, "melanoma_sensitivity", "auroc")


def comparison_table(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Give tables 4 and 5 of the paper: each network on original and on compressed images.

    Parameters
    ----------
    records : iterable of mapping
        One a network and variant, with ``network``, ``variant``, ``metrics`` (shares in [0, 1]
        keyed ``train_accuracy``, ``validation_…``, ``test_…``) and ``intervals`` (test metric to
        low and high).

    Returns
    -------
    DataFrame
        One row a record; each test metric is followed by its interval's ``_low`` and ``_high``.
    """
    rows = []
    for record in records:
        row: dict[str, Any] = {name: record[name] for name in ("network", "variant")}
        for part in ("train", "validation"):
            for metric in TRAINING_METRICS:
                row[f"{part}_{metric}"] = record["metrics"][f"{part}_{metric}"]
        row |= _test_columns(record)
        rows.append(row)
    return pd.DataFrame(rows)


def _test_columns(record: Mapping[str, Any]) -> dict[str, float]:
    columns = {}
    for metric in TEST_METRICS:
        name = f"test_{metric}"
        if name in record["metrics"]:
            columns[name] = record["metrics"][name]
        if name in record.get("intervals", {}):
            columns[f"{name}_low"], columns[f"{name}_high"] = record["intervals"][name]
    return columns


def pruning_table(steps: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Give table 6 of the paper: each pruning step with its size, cost, metrics and verdict.

    Parameters
    ----------
    steps : sequence of mapping
        Steps as the prune step records them, of any number of networks.

    Returns
    -------
    DataFrame
        One row a step, in the order of `steps`. Test columns are empty where the acceptance rule
        left the test part alone.
    """
    rows = []
    for step in steps:
        row: dict[str, Any] = {name: step[name] for name in ("network", "notation", "parent")}
        for kind, widths in step["widths"].items():
            row[kind] = "-".join(map(str, widths))
        for name in (
            "num_parameters",
            "share_of_parameters",
            "multiply_accumulates",
            "bytes",
            "bytes_with_optimizer",
            "training_seconds",
            "latency_p50_ms",
        ):
            row[name] = step[name]
        for part in ("train", "validation"):
            for metric in ("accuracy", "precision", "balanced_accuracy"):
                row[f"{part}_{metric}"] = step["metrics"][f"{part}_{metric}"]
        row |= _test_columns(step)
        row["accepted"] = step["verdict"]["accepted"]
        row["verdict"] = step["verdict"]["word"]
        row["reason"] = step["verdict"]["reason"]
        rows.append(row)
    return pd.DataFrame(rows)


def storage_table(summary: pd.DataFrame) -> pd.DataFrame:
    """Split the saving at each k into the encoder's part and the SVD's.

    Parameters
    ----------
    summary : DataFrame
        As `slimderm.components.quality.sweep.summarise` gives it: arms ``svd`` and ``control``.

    Returns
    -------
    DataFrame
        Columns k, full_rank_share, compression_ratio (total), encoder_ratio (source bytes over the
        control arm's), svd_ratio (control bytes over the SVD arm's; below 1 the SVD costs bytes),
        storage_saved (share). The total is the product of the other two.
    """
    stored = summary[summary["stage"] == "after"]
    control = stored[stored["arm"] == "control"].iloc[0]
    svd = stored[stored["arm"] == "svd"].sort_values("k")
    rows = []
    for row in svd.itertuples():
        parts = attribute(row.bytes_before, control["bytes_after"], row.bytes_after)
        rows.append(
            {
                "k": int(row.k),
                "full_rank_share": row.full_rank,
                "compression_ratio": parts.total,
                "encoder_ratio": parts.encoder,
                "svd_ratio": parts.svd,
                "storage_saved": storage_saved(row.bytes_before, row.bytes_after),
            }
        )
    return pd.DataFrame(rows)


def storage_sentence(storage: pd.DataFrame, k: int) -> str:
    """Say in one sentence what the SVD saved at `k` and what the encoder saved.

    Raises
    ------
    KeyError
        If `k` is not in the table.
    """
    rows = storage[storage["k"] == k]
    if rows.empty:
        raise KeyError(f"k = {k} is not in the storage table, which has {list(storage['k'])}")
    row = rows.iloc[0]
    if row["compression_ratio"] < 1:
        return (
            f"Nothing is saved at k = {k}: the files grow to {1 / row['compression_ratio']:.2f}×, "
            f"of which {1 / row['encoder_ratio']:.2f}× is the encoder's and "
            f"{1 / row['svd_ratio']:.3f}× the SVD's."
        )
    return (
        f"Of the {row['compression_ratio']:.2f}× saved at k = {k}, {row['encoder_ratio']:.2f}× is "
        f"the encoder's and {row['svd_ratio']:.3f}× the SVD's."
    )
