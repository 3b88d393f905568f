"""The folders that a dataset is read from, and the check of each image file in them."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from slimderm.components.common.errors import ImageError, SchemaError
from slimderm.components.dataset.formats import SUFFIXES
from slimderm.components.dataset.images import MIN_SIDE, decode_image
from slimderm.components.dataset.metadata import check_rows, read_metadata, unknown_metadata

METADATA = "HAM10000_metadata"
NEGATIVES_TABLE = "negatives.csv"


@dataclass(frozen=True)
class Origin:
    """One folder of images with its checked rows."""

    name: str
    folder: Path
    files: list[Path]
    rows: pd.DataFrame
    faults: list[dict[str, str]]


def _image_files(folder: Path, apart: Path | None = None) -> list[Path]:
    if not folder.is_dir():
        raise SchemaError(f"{folder}: no such folder, expected one with images")
    found = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES)
    return [path for path in found if apart is None or not path.is_relative_to(apart)]


def read_source(source: Path, negatives: Path | None) -> Origin:
    """Find the images of a dataset in the official layout, and check the rows of its table.

    Parameters
    ----------
    source : path
        Holds ``HAM10000_metadata.csv`` (or ``.tab``).
    negatives : path, optional
        A folder whose images are left out.

    Raises
    ------
    SchemaError
        If there is no such folder or table, or the table lacks a column.
    """
    files = _image_files(source, negatives)
    tables = [source / f"{METADATA}{suffix}" for suffix in (".csv", ".tab")]
    table = next((path for path in tables if path.exists()), tables[0])
    rows, faults = check_rows(read_metadata(table))
    return Origin("source", source, files, rows, faults)


def read_negatives(folder: Path) -> Origin:
    """Find the images of a folder of non-cancerous ones; ``negatives.csv`` may describe them.

    Raises
    ------
    SchemaError
        If there is no such folder, or its table lacks a column.
    """
    files = _image_files(folder)
    table = folder / NEGATIVES_TABLE
    rows = read_metadata(table) if table.exists() else unknown_metadata(files)
    return Origin("negatives", folder, files, *check_rows(rows))


def check_images(
    origin: Origin, max_megapixels: float, first_with: dict[str, str], taken: set[str]
) -> Iterator[tuple[dict[str, Any], dict[str, str] | None]]:
    """Yield each file's catalog entry, or its fault; then the rows left without a file.

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
    known_bad = {fault["image_id"] for fault in origin.faults}
    for path in origin.files:
        name = path.stem
        file = path.relative_to(origin.folder).as_posix()
        reason, detail, facts = _check_file(path, max_megapixels, first_with)
        row = rows.pop(name, None)
        if reason is None and name in taken:
            reason = "duplicate image_id"
        elif reason is None and row is None:
            reason = "row at fault" if name in known_bad else "image without row"
        if row is not None:
            taken.add(name)
        if reason is not None:
            yield {}, {"image_id": name, "file": file, "reason": reason, "detail": detail}
            continue
        first_with[facts["sha256"]] = name
        yield {**(row or {}), **facts, "origin": origin.name, "file": file}, None
    for name in rows:
        yield {}, {"image_id": name, "file": "", "reason": "row without image", "detail": ""}


def _check_file(
    path: Path, max_megapixels: float, first_with: Mapping[str, str]
) -> tuple[str | None, str, dict[str, Any]]:
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
    digest = hashlib.sha256(data).hexdigest()
    if digest in first_with:
        return "duplicate image", f"same bytes as {first_with[digest]}", {}
    return None, "", {"sha256": digest, "width": width, "height": height, "num_bytes": len(data)}
