"""The column of a dataset's table that states skin tone; the catalog does not keep it."""

import csv
from pathlib import Path, PurePath

import pandas as pd

from slimderm.components.common.errors import SchemaError
from slimderm.components.dataset.formats import SUFFIXES
from slimderm.components.dataset.metadata import UNKNOWN

TABLES = (".csv", ".tab", ".tsv")
COLUMNS = (  # as published datasets name it
    "skin_tone",
    "fitzpatrick",
    "fitzpatrick_skin_type",
    "fitzpatrick_scale",
    "fitspatrick",
)


def skin_tones(folder: Path, image_ids: "pd.Series[str]", column: str = "") -> "pd.Series[str]":
    """Read each image's skin tone from the tables in a folder.

    Parameters
    ----------
    folder : path
        A dataset.
    image_ids : Series of str
        The images that are asked for.
    column : str
        The column's name; empty for the first of `COLUMNS` that a table has.

    Returns
    -------
    Series of str
        Index as `image_ids`; ``unknown`` where it is not stated. Empty where no table has a column
        and none was asked for.

    Raises
    ------
    SchemaError
        If no table has the column that was asked for.
    """
    wanted = (column,) if column else COLUMNS
    seen: list[str] = []
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in TABLES):
        try:
            table = pd.read_csv(path, sep=None, engine="python", dtype=str, encoding="utf-8-sig")
        except (ValueError, csv.Error):  # no table, or not of more than one column
            continue
        seen += list(table)
        found = next((name for name in wanted if name in table), None)
        if found is not None:
            names = _column_of_images(table, image_ids)
            stated = table[found].fillna("").str.strip().replace("", UNKNOWN)
            tones = dict(zip(names, stated, strict=True))
            return pd.Series([tones.get(name, UNKNOWN) for name in image_ids], image_ids.index)
    if column:
        raise SchemaError(
            f"{folder}: received {column!r} as the column of skin tones, expected one of "
            f"{', '.join(seen) or 'a table, of which there is none'}"
        )
    return pd.Series(dtype=str)


def _column_of_images(table: pd.DataFrame, image_ids: "pd.Series[str]") -> "pd.Series[str]":
    """Return the column that names images, endings taken off: the one with most of `image_ids`."""
    stems = table.apply(lambda values: values.fillna("").map(_without_ending))
    matches = stems.isin(set(image_ids)).sum()
    return stems[matches.idxmax()]


def _without_ending(text: str) -> str:
    ending = PurePath(text).suffix
    return text.removesuffix(ending) if ending.lower() in SUFFIXES else text
