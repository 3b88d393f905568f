"""The table beside the images: which one it is, and its rows in our words."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from slimderm.components.common.errors import SchemaError
from slimderm.components.dataset.files import TABLES
from slimderm.components.dataset.layouts import (
    HAM10000,
    LAYOUTS,
    METADATA,
    REQUIRED_COLUMNS,
    Layout,
    own_layout,
)
from slimderm.components.dataset.metadata import is_missing, read_metadata, read_text

# What stands for a lesion that a row does not name.
ONE_LESION = {
    "patient": "all images of a patient count as one lesion",
    "image": "each image counts as a lesion of its own",
}
HEADER = 65536  # bytes of a file in which its first line ends


@dataclass(frozen=True)
class Rows:
    """A dataset's rows, and what is to be said of them.

    Attributes
    ----------
    table : DataFrame
        `REQUIRED_COLUMNS` and ``dataset``, as text.
    notes : list of str
        Sentences: which layout was read from which tables, what was filled in.
    """

    table: pd.DataFrame
    notes: list[str]


def read_rows(
    source: Path,
    tables: Sequence[Path],
    words: Mapping[str, str],
    *,
    columns: Mapping[str, str],
    name: str | None,
) -> Rows:
    """Find the table of a dataset and read its rows.

    Parameters
    ----------
    source : path
        The dataset's folder.
    tables : sequence of path
        Files in it that may be tables.
    words : mapping
        Word in lower case to diagnosis.
    columns : mapping
        Ours to theirs; empty: the layout is one of `LAYOUTS`.
    name : str, optional
        The table, relative to `source`; None: the one that has the columns.

    Raises
    ------
    SchemaError
        If no table has the columns of a layout, tables of several layouts are there, or a table
        cannot be read.
    """
    if not columns and (name is None or Path(name).stem == METADATA):
        own = [path for path in tables if path.stem == METADATA and path.parent == source]
        if own:
            return Rows(read_metadata(min(own, key=lambda path: TABLES.index(path.suffix))), [])
    headers = {path: _header(path) for path in tables}
    looked = headers if name is None else {source / name: _header(source / name)}
    layout, found = _choose(source, looked, (own_layout(columns),) if columns else LAYOUTS)
    if layout is HAM10000:
        return Rows(pd.concat(map(read_metadata, found), ignore_index=True), [])
    table = pd.concat(map(read_text, found), ignore_index=True)
    if table.empty:
        raise SchemaError(f"{found[0]}: received no row, expected one for each image")
    for marks in layout.beside:
        more = [path for path in headers if _has(headers[path], marks) and path not in found]
        if more:
            table = _join(table, pd.concat(map(read_text, more), ignore_index=True), marks[0])
            found += more
    names = ", ".join(str(path.relative_to(source)) for path in found)
    rows, notes = _translate(table, layout, words)
    return Rows(rows, [f"layout {layout.name}, read from {names}", *notes])


def _has(header: Sequence[str], marks: Sequence[str]) -> bool:
    return set(marks) <= set(header)


def _join(table: pd.DataFrame, more: pd.DataFrame, key: str) -> pd.DataFrame:
    """Add the columns of a further table about the same images."""
    fresh = [key, *(column for column in more if column not in table)]
    joined = table.merge(more[fresh].drop_duplicates(key), on=key, how="left")
    return joined.fillna(dict.fromkeys(fresh, ""))


def _header(path: Path) -> list[str]:
    """Name a table's columns; none where it cannot be one."""
    try:
        with path.open("rb") as stream:
            line = stream.read(HEADER).decode("utf-8-sig").splitlines()[0]
    except (OSError, UnicodeDecodeError, IndexError):
        return []
    separator = max(",;\t", key=line.count)
    return [column.strip() for column in next(csv.reader([line], delimiter=separator))]


def _choose(
    source: Path, headers: Mapping[Path, list[str]], layouts: Sequence[Layout]
) -> tuple[Layout, list[Path]]:
    found = {
        layout.name: (layout, paths)
        for layout in layouts
        if (paths := [path for path in headers if _has(headers[path], layout.marks)])
    }
    if len(found) == 1:
        return next(iter(found.values()))
    missing = [path for path in headers if not path.is_file()]
    if missing:
        raise SchemaError(f"{missing[0]}: no such table; it is named by ingest.table")
    if found:
        there = "; ".join(f"{name} ({paths[0].name})" for name, (_, paths) in found.items())
        raise SchemaError(
            f"{source}: received tables of several layouts, expected one: {there}. Name the table "
            "in ingest.table"
        )
    there = "; ".join(f"{p.name} ({', '.join(h[:12])})" for p, h in list(headers.items())[:5] if h)
    known = "; ".join(f"{layout.name} ({', '.join(layout.marks)})" for layout in layouts)
    raise SchemaError(
        f"{source}: received tables {there or 'none'}; expected {METADATA}.csv or a table with the "
        f"columns of one of: {known}. Else say in ingest.columns what yours are called, such as "
        "{image_id: file, dx: label}"
    )


def _translate(
    table: pd.DataFrame, layout: Layout, words: Mapping[str, str]
) -> tuple[pd.DataFrame, list[str]]:
    """Give a table our columns, and say what was filled in."""
    notes = []
    rows = pd.DataFrame(index=table.index)
    for ours in (*REQUIRED_COLUMNS, "dataset"):
        theirs = [name for name in layout.columns.get(ours, ()) if name in table]
        rows[ours] = _first(table[theirs], words if ours == "dx" else None)
    if layout.one_hot:
        rows["dx"] = _hot(table[list(layout.one_hot)])
    for kind, name in (("patient", layout.patient), ("image", layout.columns["image_id"][0])):
        lacks = (rows["lesion_id"] == "") & (_first(table[[name]]) != "") if name in table else ()
        if any(lacks):
            rows.loc[lacks, "lesion_id"] = f"{kind}_" + table.loc[lacks, name]
            notes.append(f"{sum(lacks)} rows name no lesion: {ONE_LESION[kind]}")
    return rows, notes


def _first(table: pd.DataFrame, words: Mapping[str, str] | None = None) -> pd.Series:
    """Of each row the first value that is there; of diagnoses the first known one goes before."""
    stated = table.mask(table.apply(is_missing) if words is None else table == "", other=None)
    empty = pd.Series("", index=table.index, dtype=str)
    if table.shape[1] == 0:
        return empty
    first = stated.bfill(axis=1).iloc[:, 0]
    if words is not None:
        known = stated.where(stated.apply(lambda column: column.str.casefold().isin(words)))
        first = known.bfill(axis=1).iloc[:, 0].fillna(first)
    return first.fillna(empty)


def _hot(table: pd.DataFrame) -> pd.Series:
    """Name the column with the largest number, "" where there is none above zero."""
    numbers = table.apply(pd.to_numeric, errors="coerce").fillna(0)
    return numbers.idxmax(axis=1).where(numbers.max(axis=1) > 0, "")
