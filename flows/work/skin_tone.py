"""The column of a dataset's table that states skin tone; the catalog does not keep it."""

import csv
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from slimderm.components.common.errors import SchemaError
from slimderm.components.dataset.files import find_files
from slimderm.components.dataset.matching import match
from slimderm.components.dataset.metadata import UNKNOWN

COLUMNS = (  # as published datasets name it
    "skin_tone",
    "fitzpatrick",
    "fitzpatrick_skin_type",
    "fitzpatrick_scale",
    "fitspatrick",
)


def skin_tones(folder: Path, image_ids: "pd.Series[str]", column: str = "") -> "pd.Series[str]":
    """Read each image's skin tone from the tables in a folder, found as the step ingest finds them.

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
        Index as `image_ids`; ``unknown`` where it is not stated. Of several tables with such a
        column the one that names most of the images is read, of those the first by path. Empty
        where no table has a column and none was asked for.

    Raises
    ------
    SchemaError
        If no table has the column that was asked for.
    """
    wanted = (column,) if column else COLUMNS
    found, asked = find_files(folder), set(image_ids)
    stems = {path.stem for path in found.images}
    seen: list[str] = []
    stated: list[dict[str, str]] = []
    for path in found.tables:
        table = _read(path)
        seen += list(table)
        name = next((name for name in wanted if name in table), None)
        if name is not None:
            images = _images(table, stems, asked)
            tones = table[name].fillna("").str.strip().replace("", UNKNOWN)
            stated.append(dict(zip(images, tones, strict=True)))
    if stated:
        most = max(stated, key=lambda tones: len(asked & tones.keys()))
        return pd.Series([most.get(name, UNKNOWN) for name in image_ids], image_ids.index)
    if column:
        raise SchemaError(
            f"{folder}: received {column!r} as the column of skin tones, expected one of "
            f"{', '.join(seen) or 'a table, of which there is none'}"
        )
    return pd.Series(dtype=str)


def _read(path: Path) -> pd.DataFrame:
    """Read a table; an empty one where the file is none."""
    try:
        return pd.read_csv(path, sep=None, engine="python", dtype=str, encoding="utf-8-sig")
    except (OSError, ValueError, csv.Error):  # no table, or not of more than one column
        return pd.DataFrame()


def _images(table: pd.DataFrame, stems: Collection[str], asked: set[str]) -> "pd.Series[str]":
    """Return the column that names most of the images, each by its file's name without ending."""

    def as_files(values: "pd.Series[str]") -> "pd.Series[str]":
        values = values.fillna("")
        matches = match(values, stems)
        return values.map(lambda value: matches.get(value, value))

    columns = pd.DataFrame({name: as_files(table[name]) for name in table})
    return columns[columns.isin(asked).sum().idxmax()]
