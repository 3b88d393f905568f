"""The pruning steps of the last report, as text that fits a terminal or a page."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from slimderm.components.reporting.page import markdown_table
from slimderm.flows.config import layout

COLUMNS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "network": ("network", str),
    "notation": ("step", str),
    "num_parameters": ("parameters", "{:,}".format),
    "share_of_parameters": ("share", "{:.1%}".format),
    "latency_p50_ms": ("ms", "{:.1f}".format),
    "validation_accuracy": ("val.", "{:.3f}".format),
    "test_balanced_accuracy": ("test", "{:.3f}".format),
    "verdict": ("", str),
}


def readable(frame: pd.DataFrame) -> pd.DataFrame:
    """Give the columns of the pruning table that fit a terminal, as text."""
    shown = frame.reindex(columns=list(COLUMNS)).astype(object)
    return pd.DataFrame(
        {
            title: ["" if pd.isna(value) else write(value) for value in shown[name]]
            for name, (title, write) in COLUMNS.items()
        }
    )


def pruning_markdown() -> str:
    """Lay out the pruning steps of the last report for Prefect's page; empty without a report."""
    try:
        return markdown_table(readable(pd.read_csv(layout.TABLES / "pruning.csv")))
    except FileNotFoundError:
        return ""
