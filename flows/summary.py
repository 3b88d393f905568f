"""Say what a run made and where to look, for `make demo` and `make run`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from rich.box import SIMPLE
from rich.table import Table

from components.reporting.page import markdown_table
from flows.runtime import command_line, console, read_json

COLUMNS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "network": ("network", str),
    "notation": ("step", str),
    "num_parameters": ("parameters", "{:,}".format),
    "share_of_parameters": ("share", "{:.1%}".format),
    "latency_p50_ms": ("ms", "{:.1f}".format),
    "validation_accuracy": ("val.", "{:.3f}".format),
    "test_balanced_accuracy": ("test", "{:.3f}".format),
    "accepted": ("", lambda accepted: "accepted" if accepted else "refused"),
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


def pruning_summary(frame: pd.DataFrame) -> Table:
    """Lay out the pruning steps for a terminal."""
    table = Table(title="Pruning steps: accuracy in validation, balanced accuracy on test")
    table.box = SIMPLE
    rows = readable(frame)
    for title in rows:
        table.add_column(
            title, justify="left" if title in ("network", "step") else "right", overflow="fold"
        )
    for row in rows.itertuples(index=False):
        table.add_row(*row)
    return table


def pruning_markdown() -> str:
    """Lay out the pruning steps of the last report for Prefect's page; empty without a report."""
    try:
        return markdown_table(readable(pd.read_csv("reports/tables/pruning.csv")))
    except FileNotFoundError:
        return ""


def main() -> None:
    """Print the pruning steps, the storage saved, and where everything lies."""
    metrics = read_json("reports/metrics.json")
    console.print(pruning_summary(pd.read_csv("reports/tables/pruning.csv")))
    lines = [metrics["sentence"]]
    challenger = metrics["registry"]["challenger"]
    if challenger:
        lines.append(
            f"{metrics['registry']['model']} version {challenger['version']} is the challenger: "
            f"{challenger['network']} {challenger['notation']}, "
            f"{challenger['num_parameters']:,} parameters."
        )
    else:
        lines.append("No network met its bars, so there is no challenger: see the reasons.")
    image = next(iter(sorted(Path("data/raw/images").iterdir())))
    lines += [
        "",
        "Look at   reports/index.html          tables and pictures (numbers: reports/tables)",
        "          data/compressed             the dataset as chosen; make verify checks it",
        "          make up                     the record in MLflow's and Prefect's pages",
        f"          make predict IMAGE={image} AGE=45 SEX=female SITE=back",
        "          make promote                make the challenger champion, if its gates are open",
    ]
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    with command_line():
        main()
