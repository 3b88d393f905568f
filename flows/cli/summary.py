"""Say what a run made and where to look."""

import pandas as pd
from rich.box import SIMPLE
from rich.table import Table

from slimderm.components.dataset.copies import copies_sentence
from slimderm.flows.base.files import read_json
from slimderm.flows.base.terminal import console
from slimderm.flows.config import layout
from slimderm.flows.work.pruning_summary import readable


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


def _recipes() -> list[str]:
    """Say of each recipe what its last pass left."""
    file = layout.TABLES / "recipes.csv"
    if not file.exists():
        return []
    table = pd.read_csv(file)
    return [
        f"{row.notation.partition(':')[0]} is {row.network} in {row.slim_bytes:,} bytes, "
        f"{row.times_fewer_bytes:.1f}× fewer than the unpruned weights: {row.verdict}."
        for row in table[table["verdict"].notna()].itertuples()
    ]


def _file() -> str:
    """Say what the challenger, else the champion, is shipped as; empty where nothing is."""
    judged = read_json(layout.REVIEW) if layout.REVIEW.exists() else {}
    found = judged.get("challenger") or judged.get("champion") or {}
    return f" ({found['file']})" if found.get("file") else ""


def print_summary() -> None:
    """Print the pruning steps, the storage saved, and where everything lies."""
    summary = read_json(layout.SUMMARY)
    console.print(pruning_summary(pd.read_csv(layout.TABLES / "pruning.csv")))
    lines = [summary["saved"], *_recipes()]
    challenger = summary["registry"]["challenger"]
    if challenger:
        lines.append(
            f"{summary['registry']['model']} version {challenger['version']} is the challenger: "
            f"{challenger['network']} {challenger['notation']}, "
            f"{challenger['num_parameters']:,} parameters."
        )
    else:
        lines.append("No network is accepted, so there is no challenger.")
    lines += summary["registry"]["endings"]
    if copies := copies_sentence(pd.read_csv(layout.TABLES / "shortfall.csv")):
        lines.append(copies)
    file = _file()
    image = next(iter(sorted((layout.RAW / "images").iterdir())))
    lines += [
        "",
        "Look at   reports/index.html          tables and pictures (numbers: reports/tables)",
        "          data/compressed             the dataset as chosen; make verify checks it",
        "          make up                     the record in MLflow's and Prefect's pages",
        f"          make predict IMAGE={image} AGE=45 SEX=female SITE=back",
        "          make promote                make the challenger champion, if its gates passed;",
        "                                      WHY=... where they lack images to tell",
        f"          make kiosk                  the champion in the browser, offline{file}",
    ]
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)
