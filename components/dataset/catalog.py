"""The catalog: every image that passed, and the quarantine of every row and file that did not."""

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from slimderm.components.common.cache import replacing
from slimderm.components.common.errors import ImageError, ParameterError, RecordError, SchemaError
from slimderm.components.dataset.images import MIN_SIDE, decode_image
from slimderm.components.dataset.labels import NEGATIVE, diagnosis_to_class
from slimderm.components.dataset.metadata import check_rows, read_metadata, unknown_metadata
from slimderm.components.dataset.settings import MAX_MEGAPIXELS

METADATA = "HAM10000_metadata"
NEGATIVES_TABLE = "negatives.csv"
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".jxl")
QUARANTINE_COLUMNS = ("image_id", "file", "reason", "detail")
TEXT = dict.fromkeys(
    ("image_id", "lesion_id", "dx", "dx_type", "sex", "localization", "dataset"), str
)


@dataclass(frozen=True)
class Catalog:
    """What ingest found.

    Attributes
    ----------
    images : DataFrame
        One row an accepted image, by image_id: the metadata columns, ``label`` (class), ``origin``
        (``source`` or ``negatives``), ``file`` (relative to its origin), ``sha256``, ``width``,
        ``height`` in pixels, ``num_bytes``.
    quarantine : DataFrame
        One row a fault: ``image_id``, ``file``, ``reason``, ``detail``.
    """

    images: pd.DataFrame
    quarantine: pd.DataFrame


def ingest(
    source: Path,
    *,
    classes: Mapping[str, Sequence[str]],
    negatives: Path | None = None,
    max_megapixels: float = MAX_MEGAPIXELS,
    progress: Callable[[int, int], object] | None = None,
) -> Catalog:
    """Read a dataset in the official layout and check every row and image of it.

    Faults of a row or a file are set apart with their reason and the rest goes on. The input is
    read only.

    Parameters
    ----------
    source : path
        Holds ``HAM10000_metadata.csv`` (or ``.tab``) and images in any folders below.
    classes : mapping
        Class name to the diagnoses it gathers.
    negatives : path, optional
        Folder of non-cancerous images, with ``negatives.csv`` of the same columns or without.
    max_megapixels : float
        Larger images are set apart.
    progress : callable, optional
        Called with the number of files checked and their total.

    Returns
    -------
    Catalog

    Raises
    ------
    SchemaError
        If a folder or the table is missing, lacks a column, holds an unknown diagnosis, or if no
        image is accepted.
    ParameterError
        If `classes` does not give every diagnosis one class, or negative images have none.
    """
    label_of = diagnosis_to_class(classes)
    origins = [_read_source(source, negatives)]
    if negatives is not None:
        origins.append(_read_negatives(negatives))
    used = {dx for origin in origins for dx in origin.rows["dx"]}
    if used - set(label_of):
        raise ParameterError(f"classes: no class gathers {NEGATIVE}; add it to one")
    faults = [fault for origin in origins for fault in origin.faults]
    accepted = []
    total, checked = sum(len(origin.files) for origin in origins), 0
    first_with: dict[str, str] = {}  # content to the image_id that has it
    taken: set[str] = set()  # image_ids
    for origin in origins:
        for entry, fault in _check_images(origin, max_megapixels, first_with, taken):
            checked += fault is None or fault["file"] != ""
            if progress is not None:
                progress(checked, total)
            if fault is not None:
                faults.append(fault)
            else:
                accepted.append(entry | {"label": label_of[entry["dx"]]})
    if not accepted:
        raise SchemaError(f"{source}: no image was accepted; received {len(faults)} faulty ones")
    images = pd.DataFrame(accepted).sort_values("image_id", ignore_index=True)
    return Catalog(images, pd.DataFrame(faults, columns=list(QUARANTINE_COLUMNS)))


@dataclass(frozen=True)
class _Origin:
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


def _read_source(source: Path, negatives: Path | None) -> _Origin:
    files = _image_files(source, negatives)
    tables = [source / f"{METADATA}{suffix}" for suffix in (".csv", ".tab")]
    table = next((path for path in tables if path.exists()), tables[0])
    rows, faults = check_rows(read_metadata(table))
    return _Origin("source", source, files, rows, faults)


def _read_negatives(folder: Path) -> _Origin:
    files = _image_files(folder)
    table = folder / NEGATIVES_TABLE
    rows = read_metadata(table) if table.exists() else unknown_metadata(files)
    return _Origin("negatives", folder, files, *check_rows(rows))


def _check_images(
    origin: _Origin, max_megapixels: float, first_with: dict[str, str], taken: set[str]
) -> Iterator[tuple[dict[str, Any], dict[str, str] | None]]:
    """Yield each file's catalog entry, or its fault; then the rows left without a file."""
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


def write_dataset(
    catalog: Catalog, source: Path, negatives: Path | None, destination: Path
) -> None:
    """Copy the accepted images into one folder, with their table.

    Parameters
    ----------
    catalog : Catalog
        As `ingest` gives it.
    source, negatives : path
        As they were given to `ingest`.
    destination : path
        Becomes ``images/<image_id><suffix>`` and ``catalog.csv``; an older one is replaced when the
        new one is whole.
    """
    with replacing(destination) as draft:
        (draft / "images").mkdir()
        folders = {"source": source, "negatives": negatives}
        table = catalog.images.copy()
        for index, row in table.iterrows():
            folder = folders[row["origin"]]
            if folder is None:
                raise ParameterError(
                    "negatives: received none, expected the folder given to ingest"
                )
            origin = folder / row["file"]
            file = f"images/{row['image_id']}{origin.suffix.lower()}"
            shutil.copyfile(origin, draft / file)
            table.loc[index, "file"] = file
        table.to_csv(draft / "catalog.csv", index=False)


def read_catalog(folder: Path) -> pd.DataFrame:
    """Read the table that `write_dataset` wrote.

    Returns
    -------
    DataFrame
        As `Catalog.images`, ``file`` relative to `folder`.

    Raises
    ------
    SchemaError
        If there is none.
    """
    try:
        table = pd.read_csv(folder / "catalog.csv", dtype=TEXT, keep_default_na=False)
    except OSError as error:
        raise SchemaError(f"{folder}: holds no catalog.csv; run the ingest step first") from error
    table["age"] = pd.to_numeric(table["age"], errors="coerce")
    return table


def check_files(folder: Path, table: pd.DataFrame) -> None:
    """Check that files are still those that a table lists, so that damage never becomes a number.

    Parameters
    ----------
    folder : path
        What ``file`` is relative to.
    table : DataFrame
        Columns ``file`` and ``sha256``.

    Raises
    ------
    RecordError
        If one is missing or holds other bytes; the message names it.
    """
    for row in table.itertuples():
        path = folder / str(row.file)
        try:
            with path.open("rb") as stream:
                received = hashlib.file_digest(stream, "sha256").hexdigest()
        except FileNotFoundError:
            received = "no file"
        if received != row.sha256:
            raise RecordError(
                f"{path}: received {received[:12]}, expected {row.sha256[:12]}, so it was damaged "
                "or changed since its table was written; `make doctor` sets damaged data versions "
                f"aside; then delete {folder} and run again"
            )
