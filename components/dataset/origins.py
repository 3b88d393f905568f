"""The folders that a dataset is read from, and the check of each image file in them."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from slimderm.components.common.errors import ImageError
from slimderm.components.dataset.files import Found, find_files
from slimderm.components.dataset.formats import describe_formats
from slimderm.components.dataset.images import MIN_SIDE, decode_image
from slimderm.components.dataset.matching import describe_matches, match
from slimderm.components.dataset.metadata import check_rows, read_metadata, unknown_metadata
from slimderm.components.dataset.quarantine import Fault, fault
from slimderm.components.dataset.similar import fingerprint
from slimderm.components.dataset.tables import Rows, read_rows

NEGATIVES_TABLE = "negatives.csv"


@dataclass(frozen=True)
class Origin:
    """One folder of images with its checked rows.

    Attributes
    ----------
    name : str
        ``source`` or ``negatives``.
    folder : path
    files : list of path
    rows : DataFrame
        Sound rows, image_id as the file's name without ending where there is such a file.
    faults : list of dict
        Rows and files set apart so far.
    notes : list of str
        What was taken as meant, in sentences.
    """

    name: str
    folder: Path
    files: list[Path]
    rows: pd.DataFrame
    faults: list[Fault]
    notes: list[str] = field(default_factory=list)


def read_source(
    source: Path,
    negatives: Path | None,
    words: Mapping[str, str],
    *,
    columns: Mapping[str, str],
    table: str | None,
) -> Origin:
    """Find the images of a dataset, and check the rows of its table.

    Parameters
    ----------
    source : path
    negatives : path, optional
        A folder whose images are left out.
    words : mapping
        Word in lower case to diagnosis.
    columns : mapping
        Ours to theirs, for a layout that is not known by name.
    table : str, optional
        The table, relative to `source`.

    Raises
    ------
    SchemaError
        If there is no such folder or table, or the table lacks a column.
    """
    found = find_files(source, negatives)
    rows = read_rows(source, found.tables, words, columns=columns, name=table)
    return _origin("source", source, found, rows, words)


def read_negatives(folder: Path, words: Mapping[str, str]) -> Origin:
    """Find the images of a folder of non-cancerous ones; ``negatives.csv`` may describe them.

    Raises
    ------
    SchemaError
        If there is no such folder, or its table lacks a column.
    """
    found = find_files(folder)
    table = folder / NEGATIVES_TABLE
    rows = read_metadata(table) if table.exists() else unknown_metadata(found.images)
    return _origin("negatives", folder, found, Rows(rows, []), words)


def _origin(name: str, folder: Path, found: Found, given: Rows, words: Mapping[str, str]) -> Origin:
    stems = {path.stem for path in found.images}
    ids = set(given.table["image_id"].dropna()) - {""}
    matches = match(sorted(ids), stems) if ids - stems else {}
    table = given.table.assign(image_id=given.table["image_id"].replace(matches))
    rows, faults = check_rows(table, words)
    faults += _unread(found, folder, set(rows["image_id"]) - stems)
    for place, count in found.left_out.items():
        file = place.relative_to(folder).as_posix()
        faults.append(fault("left out", file=file, detail=f"images in it: {count}"))
    return Origin(
        name, folder, found.images, rows, faults, [*given.notes, *describe_matches(matches)]
    )


def _unread(found: Found, folder: Path, wanted: set[str]) -> list[Fault]:
    """Files that a row asks for, of a format that is not read."""
    detail = f"expected {describe_formats()}"
    matches = match(sorted(wanted), {path.stem for path in found.unread})
    asked = wanted | set(matches.values())
    return [
        fault(
            "ending not read",
            image_id=path.stem,
            file=path.relative_to(folder).as_posix(),
            detail=f"received {path.suffix}, {detail}",
        )
        for path in found.unread
        if path.stem in asked
    ]


def check_images(
    origin: Origin, max_megapixels: float, first_with: dict[str, str], taken: set[str]
) -> Iterator[tuple[dict[str, Any], Fault | None]]:
    """Yield each file's catalog entry, or its fault; then the rows left without a file.

    Of several files of one name the one with the most pixels wins, of those the one with the most
    bytes, of those the first by path.

    Parameters
    ----------
    origin : Origin
    max_megapixels : float
        Larger images are faults.
    first_with : dict
        SHA-256 of each image accepted so far, to its image_id; grows.
    taken : set
        The image_ids that have a file so far; grows.
    """
    rows = {str(row["image_id"]): row for row in origin.rows.to_dict("records")}
    known_bad = {each["image_id"] for each in origin.faults}
    named: dict[str, list[Path]] = {}
    for path in origin.files:
        named.setdefault(path.stem, []).append(path)
    for name, paths in named.items():
        row = rows.pop(name, None)
        for entry, wrong in _check_named(name, paths, origin.folder, max_megapixels, first_with):
            reason, detail = (wrong["reason"], wrong["detail"]) if wrong else (None, "")
            if reason is None and name in taken:
                reason = "duplicate image_id"
            elif reason is None and row is None:
                reason = "row at fault" if name in known_bad else "image without row"
            if reason is not None:
                yield {}, fault(reason, image_id=name, file=entry["file"], detail=detail)
                continue
            taken.add(name)
            first_with[entry["sha256"]] = name
            yield {**(row or {}), **entry, "origin": origin.name}, None
    for name in rows:
        yield {}, fault("row without image", image_id=name)


def _check_named(
    name: str, paths: list[Path], folder: Path, max_megapixels: float, first_with: Mapping[str, str]
) -> Iterator[tuple[dict[str, Any], Fault | None]]:
    """Check the files of one name: the one that wins comes first, the others as faults."""
    checked = []
    for path in paths:
        reason, detail, facts = _check_file(path, max_megapixels)
        entry = facts | {"file": path.relative_to(folder).as_posix()}
        if reason is not None:
            yield entry, fault(reason, detail=detail)
        else:
            checked.append(entry)
    checked.sort(key=lambda entry: (-entry["width"] * entry["height"], -entry["num_bytes"]))
    for entry in checked[1:]:
        yield (
            entry,
            fault("duplicate image_id", detail=f"{_facts(checked[0])} won over {_facts(entry)}"),
        )
    for entry in checked[:1]:
        twin = first_with.get(entry["sha256"])
        wrong = None if twin is None else fault("duplicate image", detail=f"same bytes as {twin}")
        yield entry, wrong


def _facts(entry: Mapping[str, Any]) -> str:
    size = f"{entry['width']}x{entry['height']} pixels, {entry['num_bytes']} bytes"
    return f"{entry['file']} ({size})"


def _check_file(path: Path, max_megapixels: float) -> tuple[str | None, str, dict[str, Any]]:
    """Give (reason, detail, facts) of one file; the reason is None where nothing is wrong."""
    try:
        data = path.read_bytes()
        pixels = decode_image(data, max_megapixels=max_megapixels)
    except OSError as error:
        return "unreadable", str(error.strerror), {}
    except ImageError as error:
        reason, _, detail = str(error).partition(": ")
        return reason, detail, {}
    height, width, _ = pixels.shape
    if min(height, width) < MIN_SIDE:
        wanted = f"expected at least {MIN_SIDE}x{MIN_SIDE}, the window of SSIM"
        return "too small", f"received {width}x{height} pixels, {wanted}", {}
    return (
        None,
        "",
        {
            "sha256": hashlib.sha256(data).hexdigest(),
            "width": width,
            "height": height,
            "num_bytes": len(data),
            "fingerprint": fingerprint(pixels),
        },
    )
