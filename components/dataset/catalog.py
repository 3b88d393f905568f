"""The catalog: every image that passed, and the quarantine of every row and file that did not."""

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from slimderm.components.common.cache import replacing
from slimderm.components.common.errors import ParameterError, RecordError, SchemaError
from slimderm.components.dataset.labels import NEGATIVE, diagnosis_to_class
from slimderm.components.dataset.origins import check_images, read_negatives, read_source
from slimderm.components.dataset.settings import MAX_MEGAPIXELS

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
    origins = [read_source(source, negatives)]
    if negatives is not None:
        origins.append(read_negatives(negatives))
    used = {dx for origin in origins for dx in origin.rows["dx"]}
    if used - set(label_of):
        raise ParameterError(f"classes: no class gathers {NEGATIVE}; add it to one")
    faults = [fault for origin in origins for fault in origin.faults]
    accepted = []
    total, checked = sum(len(origin.files) for origin in origins), 0
    first_with: dict[str, str] = {}  # content to the image_id that has it
    taken: set[str] = set()  # image_ids
    for origin in origins:
        for entry, fault in check_images(origin, max_megapixels, first_with, taken):
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
