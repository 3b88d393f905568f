"""Training, validation and test by lesion: stratified, seeded, without a leak."""

from collections.abc import Iterable
from dataclasses import dataclass

import networkx
import numpy as np
import pandas as pd

from slimderm.components.common.errors import LeakError, SchemaError
from slimderm.components.dataset.copies import fill
from slimderm.components.dataset.settings import SplitSettings

JUDGED = ("validation", "test")


@dataclass(frozen=True)
class SplitResult:
    """A split and what it could not give.

    Attributes
    ----------
    frame : DataFrame
        ``image_id``, ``lesion_id``, ``label``, ``part`` (train, validation, test), ``copy`` (0 for
        an image itself, from 1 for augmented copies of it), by image_id and copy; ``near``, the
        near duplicates' group, where they were looked for.
    shortfall : DataFrame
        ``part``, ``label``, ``wanted`` (the asked size, equal between classes), ``given`` (images),
        ``copies``.
    """

    frame: pd.DataFrame
    shortfall: pd.DataFrame


def group_images(catalog: pd.DataFrame) -> pd.Series:
    """Find the images that must stay together: of one lesion, of equal bytes, or near duplicates.

    Parameters
    ----------
    catalog : DataFrame
        ``image_id``, ``lesion_id``, ``sha256``; ``near`` where near duplicates were looked for
        (`slimderm.components.dataset.similar.join_near_duplicates`).

    Returns
    -------
    Series of str
        The smallest lesion_id of each image's group, indexed as `catalog`.
    """
    graph = networkx.Graph()
    for kind in [column for column in ("sha256", "near") if column in catalog]:
        for lesion, shared in zip(catalog["lesion_id"], catalog[kind], strict=True):
            graph.add_edge(("lesion", lesion), (kind, shared))
    name_of: dict[str, str] = {}
    for component in networkx.connected_components(graph):
        lesions = sorted(name for kind, name in component if kind == "lesion")
        name_of |= dict.fromkeys(lesions, lesions[0])
    return catalog["lesion_id"].map(name_of)


def split(catalog: pd.DataFrame, settings: SplitSettings) -> SplitResult:
    """Divide the images by lesion.

    Validation and test take the same number of images of each class, as nearly as whole lesions
    allow: the scaled size over the classes, or where that is more, the part's share of the scarcest
    class. All other images are training.

    Where `settings.fill` is ``copies``, the sizes are taken as they are, and all three parts hold
    the classes equally. Of a class that is too small for that each part takes its share, and
    augmented copies of its own images for the rest. Images beyond the sizes are in no part.

    Parameters
    ----------
    catalog : DataFrame
        As `slimderm.components.dataset.catalog.read_catalog` gives it.
    settings : SplitSettings
        Sizes of the parts, what fills them, seed.

    Returns
    -------
    SplitResult
        The same for the same images and seed, whatever the order of rows.

    Raises
    ------
    SchemaError
        If a class has fewer than three lesions, one for each part.
    """
    images = catalog.sort_values("image_id", ignore_index=True)
    images["group"] = group_images(images)
    random = np.random.default_rng(settings.seed)
    leading = images["group"].map(_leading_label(images))
    queues = {
        label: _shuffled(images[leading == label], random) for label in sorted(set(images["label"]))
    }
    if settings.max_images is not None:
        share = settings.max_images / len(images)
        queues = {label: _head(sizes, share * sizes.sum()) for label, sizes in queues.items()}
    scarce = [label for label, sizes in queues.items() if len(sizes) < 3]
    if scarce:
        raise SchemaError(
            f"split: class {scarce[0]!r} has {len(queues[scarce[0]])} lesions, expected at least "
            "3, one for each part"
        )
    part_of, shortfall = _assign(queues, settings)
    images["part"] = images["group"].map(part_of)
    near = ["near"] if "near" in images else []
    frame = images.dropna(subset="part")[["image_id", "lesion_id", "label", "part", *near]]
    frame = frame.reset_index(drop=True).assign(copy=0)
    if settings.fill == "copies":
        frame = fill(frame, shortfall, random)
    for column, found in (("given", frame["copy"] == 0), ("copies", frame["copy"] > 0)):
        counts = frame[found].groupby(["part", "label"]).size()
        pairs = zip(shortfall["part"], shortfall["label"], strict=True)
        shortfall[column] = [int(counts.get(pair, 0)) for pair in pairs]
    return SplitResult(frame, shortfall)


def _leading_label(images: pd.DataFrame) -> pd.Series:
    """Label that most images of each group have, the first of the alphabet among equals."""
    counts = images.groupby(["group", "label"]).size().rename("count").reset_index()
    counts = counts.sort_values(["count", "label"], ascending=[False, True])
    return counts.drop_duplicates("group").set_index("group")["label"]


def _shuffled(images: pd.DataFrame, random: np.random.Generator) -> pd.Series:
    """Sizes of a class's groups, in random order."""
    sizes = images.groupby("group", sort=True).size()
    return sizes.iloc[random.permutation(len(sizes))]


def _head(sizes: pd.Series, wanted: float, *, reach: bool = False) -> pd.Series:
    """Take the first groups that come nearest to `wanted` images, or reach it; one at least."""
    reached = sizes.cumsum().to_numpy()
    if reach:
        return sizes.iloc[: int(np.searchsorted(reached, wanted - 1e-9)) + 1]
    return sizes.iloc[: int(np.abs(reached - wanted).argmin()) + 1]


def _assign(
    queues: dict[str, pd.Series], settings: SplitSettings
) -> tuple[dict[str, str], pd.DataFrame]:
    weights = {"train": settings.train, "validation": settings.validation, "test": settings.test}
    copies = settings.fill == "copies"
    total = sum(int(sizes.sum()) for sizes in queues.values())
    scarcest = min(int(sizes.sum()) for sizes in queues.values())
    whole = {label: int(sizes.sum()) if copies else scarcest for label, sizes in queues.items()}
    part_of: dict[str, str] = {}
    rows = []
    for part in (*JUDGED, "train"):
        share = weights[part] / sum(weights.values())
        wanted = (weights[part] if copies else share * total) / len(queues)
        for label, sizes in queues.items():
            # A lesion is spared for each part that is still to be served.
            spare = 2 - (*JUDGED, "train").index(part)
            taken = sizes.iloc[: len(sizes) - spare]
            if part != "train":
                taken = _head(taken, min(wanted, share * whole[label]), reach=copies)
            elif copies:  # else training takes all that is left
                taken = _head(taken, wanted, reach=True)
            part_of |= dict.fromkeys(taken.index, part)
            queues[label] = sizes.iloc[len(taken) :]
            rows.append({"part": part, "label": label, "wanted": max(1, round(wanted))})
    return part_of, pd.DataFrame(rows)


def check_no_leak(catalog: pd.DataFrame, frame: pd.DataFrame) -> None:
    """Make sure that no lesion, no byte-identical image and no near duplicate stands on two sides.

    Parameters
    ----------
    catalog : DataFrame
        ``image_id``, ``sha256``.
    frame : DataFrame
        As `SplitResult.frame`; with ``near`` where near duplicates were looked for.

    Raises
    ------
    LeakError
        Naming the lesion, or the images, and their parts.
    """
    shared = {"lesion_id": "lesion", "sha256": "image content", "near": "picture"}
    merged = frame.merge(catalog[["image_id", "sha256"]], on="image_id", how="left")
    for column, what in shared.items():
        if column not in merged:
            continue
        parts = merged.groupby(column)["part"].nunique()
        for value in parts[parts > 1].index:
            here = merged[merged[column] == value]
            sides = ", ".join(_sides(zip(here["image_id"], here["part"], strict=True)))
            raise LeakError(
                f"{what} {value} stands on two sides of the split: {sides}; expected one part; "
                "run the stage split again"
            )


def _sides(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{image} in {part}" for image, part in pairs]
