"""How many images adaptive sampling measures, and whether it finds the k that all of them give.

::

    python benchmarks/sampling.py TABLE [--metadata CSV] [--seeds 100]

TABLE is the sweep over all images, ``data/sweep/measurements.parquet`` or the same as CSV; CSV has
``image_id`` and ``dx``, the strata. From it the draw is played back, once a seed, for each stage.

The last line is one JSON object. ``stages`` has an entry for each stage: ``stage``, ``k`` of all
images, ``same_k`` (the share of the seeds that found it), ``used_median`` and ``used_max`` (images
measured), ``share_used_median`` and ``share_used_max`` of all ``images``. Beside it stand the
smallest ``same_k`` and the largest ``share_used_median``, ``share_used_max`` and ``images``.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slimderm.components.dataset.strata import stratified_order
from slimderm.components.quality.certainty import certainty_of
from slimderm.components.quality.choice import choose_k
from slimderm.components.quality.settings import ChooseSettings

Floats = npt.NDArray[np.float64]


def chosen_k(values: Floats, ranks: Sequence[int], settings: ChooseSettings) -> int:
    """Choose k as the product does, from (num_images, num_k, num_metrics)."""
    means = {
        f"{m}_mean": column
        for m, column in zip(settings.metrics, values.mean(axis=0).T, strict=True)
    }
    summary = pd.DataFrame({"arm": "svd", "k": ranks, "stage": settings.stage, **means})
    return choose_k(summary, settings).k


def draw(
    values: Floats, ranks: Sequence[int], settings: ChooseSettings, options: argparse.Namespace
) -> tuple[int, int, str]:
    """Measure chunk by chunk until the choice is certain: the k, the images used, the reason."""
    total = len(values)
    for used in [*range(options.chunk, total, options.chunk), total]:
        look = certainty_of(
            values[:used],
            ranks,
            settings,
            confidence=options.confidence,
            min_images=options.min_images,
            population=total,
        )
        if look.settled:
            break
    return chosen_k(values[:used], ranks, settings), used, look.reason


def read_table(path: Path) -> pd.DataFrame:
    """Read what the sweep measured, Parquet or CSV."""
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)


def values_by_rank(
    table: pd.DataFrame, stage: str, settings: ChooseSettings
) -> tuple[Floats, list[int], pd.Index]:
    """Lay out a sweep's table: (num_images, num_k, num_metrics), the ranks, the image ids."""
    rows = table[(table["arm"] == "svd") & (table["stage"] == stage)]
    wide = rows.pivot(index="image_id", columns="k", values=list(settings.metrics))
    ranks = [int(k) for k in sorted(rows["k"].unique())]
    shape = (len(wide), len(settings.metrics), len(ranks))
    return wide.to_numpy(np.float64).reshape(shape).transpose(0, 2, 1), ranks, wide.index


def study(
    table: pd.DataFrame, strata: pd.Series, stage: str, options: argparse.Namespace
) -> dict[str, object]:
    """Play the draw back for one stage."""
    settings = ChooseSettings(stage=stage)
    values, ranks, image_ids = values_by_rank(table, stage, settings)
    names = strata.reindex(image_ids).fillna("unknown").tolist()
    everything = chosen_k(values, ranks, settings)
    same, used = [], []
    for seed in range(options.seeds):
        k, count, reason = draw(
            values[stratified_order(names, seed=seed)], ranks, settings, options
        )
        same.append(k == everything)
        used.append(count)
        if not same[-1]:
            print(f"stage {stage}, seed {seed}: {reason}")
    return {
        "stage": stage,
        "k": everything,
        "same_k": float(np.mean(same)),
        "used_median": float(np.median(used)),
        "used_max": max(used),
        "share_used_median": round(float(np.median(used)) / len(values), 4),
        "share_used_max": round(max(used) / len(values), 4),
        "images": len(values),
    }


def main() -> None:
    """Print a row a stage, then one line of JSON: the worse of the stages, and the stages."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--metadata", type=Path, help="CSV of image_id and dx")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--chunk", type=int, default=32)
    parser.add_argument("--min-images", type=int, default=128)
    parser.add_argument("--confidence", type=float, default=0.95)
    options = parser.parse_args()
    table = read_table(options.table)
    strata = pd.Series(dtype=str)
    if options.metadata:
        strata = pd.read_csv(options.metadata).set_index("image_id")["dx"]
    rows = [study(table, strata, stage, options) for stage in ("before", "after")]
    print(pd.DataFrame(rows).to_string(index=False))
    worst = {"same_k": min(row["same_k"] for row in rows)}
    for name in ("share_used_median", "share_used_max", "images"):
        worst[name] = max(row[name] for row in rows)
    print(json.dumps({**worst, "stages": rows}))


if __name__ == "__main__":
    main()
