"""How the chosen k depends on the tolerance, and on which images were measured.

::

    python benchmarks/tolerance.py TABLE [--samples 1000]

TABLE is the sweep, ``data/sweep/measurements.parquet`` or the same as CSV. Its images are drawn
anew, with replacement, and k is chosen for each draw and tolerance by the rule stabilisation.

The last line is one JSON object: ``images``, and ``choices`` with an entry for each stage and
tolerance: ``stage``, ``tolerance``, ``k`` of all images, and ``shares`` (k to its share of the
draws).
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.sampling import chosen_k, read_table, values_by_rank
from slimderm.components.quality.settings import ChooseSettings

TOLERANCES = (0.005, 0.01, 0.02, 0.05)


def choices(table: pd.DataFrame, settings: ChooseSettings, samples: int) -> dict[str, object]:
    """Choose k from all images, and from each of the draws."""
    values, ranks, _ = values_by_rank(table, settings.stage, settings)
    random = np.random.default_rng(0)
    drawn = Counter(
        chosen_k(values[random.integers(0, len(values), len(values))], ranks, settings)
        for _ in range(samples)
    )
    return {
        "stage": settings.stage,
        "tolerance": settings.tolerance,
        "k": chosen_k(values, ranks, settings),
        "shares": {k: drawn[k] / samples for k in ranks if drawn[k]},
    }


def main() -> None:
    """Print a row a stage and tolerance, then the same as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--samples", type=int, default=1000)
    options = parser.parse_args()
    table = read_table(options.table)
    rows = [
        choices(table, ChooseSettings(stage=stage, tolerance=tolerance), options.samples)
        for stage in ("before", "after")
        for tolerance in TOLERANCES
    ]
    print(pd.DataFrame(rows).to_string(index=False))
    print(json.dumps({"images": int(table["image_id"].nunique()), "choices": rows}))


if __name__ == "__main__":
    main()
