"""The data of a run as MLflow's datasets: each part of each variant, by its DVC hash."""

import hashlib
from collections.abc import Mapping, Sequence

import pandas as pd

from slimderm.components.dataset.variants import COMPRESSED
from slimderm.flows.config import layout
from slimderm.flows.record.mlflow_run import Run

# Parts of the split, by MLflow's word for what a run does with them.
CONTEXTS = {"train": "training", "validation": "validation", "test": "test"}
SPLIT_TAG = f"dvc.{layout.SPLITS.name}"


def log_datasets(
    run: Run, tags: Mapping[str, str], variants: Sequence[str], parts: Sequence[str]
) -> None:
    """Log what a run was trained on and judged on.

    To MLflow a dataset is a name and a digest; of each it keeps one context a run and the profile
    that came first. So each part of each split is a dataset: its digest is that of the variant's
    folder, its name says which part of which split it is.

    Parameters
    ----------
    run : Run
        Gets the datasets; one that it has already stays as it is.
    tags : mapping
        The DVC hashes, as `slimderm.flows.record.provenance.provenance_tags` gives them. What they
        do not name is not logged.
    variants : sequence of str
        What is not in `slimderm.flows.config.layout.VARIANTS` is no data of the workspace.
    parts : sequence of str
        Of `CONTEXTS`.
    """
    split = tags.get(SPLIT_TAG)
    if split is None:
        return
    rows = _rows(split)
    for folder in (layout.VARIANTS[name] for name in variants if name in layout.VARIANTS):
        if digest := tags.get(f"dvc.{folder.name}"):
            for part in parts:
                name = f"{folder.name} {part}, split {split[:6]}"
                run.dataset(name, digest, str(folder), CONTEXTS[part], rows.get(part))
    if COMPRESSED in variants and (digest := tags.get(f"dvc.{layout.RAW.name}")):
        run.dataset(f"raw {layout.CATALOG.name}", digest, str(layout.CATALOG), "labels, metadata")
    run.dataset(layout.SPLITS.name, split, str(layout.SPLITS), "split")


def _rows(split: str) -> dict[str, dict[str, int]]:
    """Count images, copies and lesions of each part, where the split of this hash lies here."""
    try:
        content = layout.SPLITS.read_bytes()
    except FileNotFoundError:
        return {}
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != split:
        return {}
    frame = pd.read_csv(layout.SPLITS, dtype={"image_id": str, "lesion_id": str})
    return {
        str(part): {
            "images": int((rows["copy"] == 0).sum()),
            "augmented copies": int((rows["copy"] > 0).sum()),
            "lesions": int(rows["lesion_id"].nunique()),
        }
        for part, rows in frame.groupby("part")
    }
