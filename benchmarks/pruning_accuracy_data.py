"""The images of ``benchmarks/pruning_accuracy.py``: HAM10000 by lesion, small, in three parts."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pandas as pd

from benchmarks import pruning_accuracy_network as network
from slimderm.components.dataset.catalog import ingest
from slimderm.components.dataset.images import load_images
from slimderm.components.dataset.settings import SplitSettings
from slimderm.components.dataset.similar import find_near_duplicates, join_near_duplicates
from slimderm.components.dataset.splits import check_no_leak, group_images, split

CLASSES = {
    name: ["mel"] if name == "melanoma" else [name]
    for name in ("akiec", "bcc", "bkl", "df", "melanoma", "nv", "vasc")
}
PARTS = SplitSettings(train=60, validation=10, test=30)
EVIDENCE = (8, 64)  # batches of training images that criteria look at


def divided(catalog: pd.DataFrame) -> pd.DataFrame:
    """Divide by lesion, each class by itself, so that all parts hold them in their proportion.

    What stays together is a lesion, equal bytes and near duplicates; where such a group is of two
    classes, it is divided with the class of its first image.
    """
    limit = PARTS.near_duplicates
    assert limit is not None
    joined = join_near_duplicates(catalog, find_near_duplicates(catalog, max_distance=limit))
    first = joined.groupby(group_images(joined))["label"].transform("first")
    parts = pd.concat(
        split(rows.assign(label=label), PARTS).frame for label, rows in joined.groupby(first)
    )
    check_no_leak(catalog, parts)
    return catalog.merge(parts[["image_id", "part"]], on="image_id")


def read(folder: Path, size: tuple[int, int], most: int | None = None) -> dict[str, Any]:
    """Read all images at one size; return arrays by name and part.

    Parameters
    ----------
    folder : path
        A dataset in HAM10000's layout.
    size : tuple of int
        Height and width.
    most : int, optional
        Images of each class at most, for a quick look.
    """
    found = ingest(folder, classes=CLASSES)
    found.check(folder)
    catalog = found.images
    if most is not None:
        catalog = catalog.groupby("label").head(most)
    frame = divided(catalog)
    arrays: dict[str, Any] = {}
    for part in ("train", "validation", "test"):
        rows = frame[frame["part"] == part]
        arrays[f"images_{part}"] = load_images(folder, rows["file"].tolist(), size=size)
        arrays[f"labels_{part}"] = np.array([list(CLASSES).index(name) for name in rows["label"]])
        arrays[f"lesions_{part}"] = rows["lesion_id"].to_numpy(dtype=str)
    number, batch = EVIDENCE
    pairs = network.batches(
        arrays["images_train"],
        arrays["labels_train"],
        number=number * batch + batch,
        size=batch,
        seed=(0, 0),
    )
    images, labels = zip(*[next(pairs) for _ in range(number)], strict=True)
    return arrays | {"images_evidence": np.stack(images), "labels_evidence": np.stack(labels)}
