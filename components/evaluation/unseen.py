"""Which images a model has not been trained on: by their ids, and by the hashes of files."""

from dataclasses import dataclass

import pandas as pd

REASONS = {
    "lesion_id": "its lesion's id is one that the model was trained or validated on",
    "image_id": "its image's id is one",
    "sha256": "its file is, byte for byte, one",
    "group": "another image of its lesion is one",
}


@dataclass(frozen=True)
class Seen:
    """What a model was trained or validated on; each field names a column of a catalog."""

    lesion_id: frozenset[str]
    image_id: frozenset[str]
    sha256: frozenset[str]


def unseen(images: pd.DataFrame, seen: Seen) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Part images that a model has not seen from those it has; lesions stay whole.

    Parameters
    ----------
    images : DataFrame
        As `slimderm.components.dataset.catalog.Catalog.images`.
    seen : Seen

    Returns
    -------
    kept : DataFrame
        Rows of `images`.
    left_out : DataFrame
        The others, with ``reason``: the first key of `REASONS` that holds.
    """
    reason = pd.Series("", index=images.index)
    for column in ("lesion_id", "image_id", "sha256"):
        known = images[column].isin(getattr(seen, column))
        reason = reason.mask(known & (reason == ""), column)
    lesions = set(images.loc[reason != "", "lesion_id"])
    reason = reason.mask(images["lesion_id"].isin(lesions) & (reason == ""), "group")
    left_out = images.assign(reason=reason)[reason != ""]
    return images[reason == ""], left_out
