"""How often each acceptance rule accepts an equal network, and one that is 2 or 5 points worse.

By simulation, for parts of several sizes. Writes the table into docs/acceptance.md.

    python benchmarks/operating_characteristics.py [--page docs/acceptance.md] [--repeats 1000]

Takes a minute or two on a core. The last line is one JSON object: ``equal_passes_225`` and
``worse_passes_225``, the shares in which an interval of the accuracy on 225 images lies above -0.05
for an equal network and for one 5 points worse, and ``rows``, how many the table has.
"""

import argparse
import json
from pathlib import Path

import pandas as pd

from slimderm.components.pruning.operating_characteristics import World, one_metric, table
from slimderm.components.reporting.page import markdown_table

SIZES = (49, 152, 230, 360, 597, 750, 1500)
WORSE = (0.0, 0.02, 0.05)
BEGIN, END = "<!-- table -->", "<!-- end of table -->"


def readable(rows: list[dict[str, float]]) -> pd.DataFrame:
    """Give shares in whole per cent, and what the network is."""
    frame = pd.DataFrame(rows)
    shares = frame.columns.drop(["images", "worse"])
    frame[shares] = (100 * frame[shares]).round().astype(int).astype(str) + " %"
    frame["worse"] = frame["worse"].map(lambda each: f"{100 * each:g} points" if each else "equal")
    return frame.assign(images=frame["images"].astype(int)).rename(columns={"worse": "network"})


def insert(page: Path, text: str) -> None:
    """Put a table between the page's two marks."""
    before, _, rest = page.read_text().partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n\n{text.strip()}\n\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", type=Path, default=Path("docs/acceptance.md"))
    parser.add_argument("--repeats", type=int, default=1000, help="networks a cell")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    arguments = parser.parse_args()
    rows = []
    for row in table(arguments.sizes, WORSE, repeats=arguments.repeats):
        rows.append(row)
        print(row, flush=True)
    insert(arguments.page, markdown_table(readable(rows)))
    interval = "interval above -0.05"
    found = {
        f"{name}_passes_225": one_metric(World(worse=worse), 225, repeats=100_000)[interval]
        for name, worse in (("equal", 0.0), ("worse", 0.05))
    }
    print(json.dumps(found | {"rows": len(rows)}))
