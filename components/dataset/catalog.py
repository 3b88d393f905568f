"""The catalog: every image that passed, and the quarantine of every row and file that did not."""

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from slimderm.components.common.cache import replacing
from slimderm.components.common.errors import ParameterError, RecordError, SchemaError
from slimderm.components.dataset.labels import (
    NEGATIVE,
    diagnosis_to_class,
    word_to_diagnosis,
)
from slimderm.components.dataset.layouts import REQUIRED_COLUMNS
from slimderm.components.dataset.origins import check_images, read_negatives, read_source
from slimderm.components.dataset.quarantine import describe
from slimderm.components.dataset.settings import MAX_MEGAPIXELS

QUARANTINE_COLUMNS = ("image_id", "file", "reason", "detail")
NAMES = {*REQUIRED_COLUMNS, "dataset", "sha256", "fingerprint"}
TEXT = dict.fromkeys(NAMES - {"age"}, str)


@dataclass(frozen=True)
class Catalog:
    """What ingest found.

    Attributes
    ----------
    images : DataFrame
        One row an accepted image, by image_id: the metadata columns, ``label`` (class), ``origin``
        (``source`` or ``negatives``), ``file`` (relative to its origin), ``sha256``, ``width``,
        ``height`` in pixels, ``num_bytes``, ``fingerprint`` (perceptual hash).
    quarantine : DataFrame
        One row a fault: ``image_id``, ``file``, ``reason``, ``detail``.
    notes : list of str
        What was taken as meant, in sentences.
    """

    images: pd.DataFrame
    quarantine: pd.DataFrame
    notes: list[str] = field(default_factory=list)

    def faults(self) -> list[str]:
        """Say each reason of the quarantine: how many, three examples, what mends it."""
        return describe(self.quarantine.to_dict("records"))

    def check(self, source: Path) -> None:
        """Make sure that an image was accepted.

        Raises
        ------
        SchemaError
            Saying why none was, and what would mend it.
        """
        if self.images.empty:
            why = "".join(f"\n  {line}" for line in self.faults()) or " no image and no row"
            raise SchemaError(f"{source}: no image was accepted; received:{why}")


def ingest(
    source: Path,
    *,
    classes: Mapping[str, Sequence[str]],
    negatives: Path | None = None,
    columns: Mapping[str, str] = MappingProxyType({}),
    diagnoses: Mapping[str, str] = MappingProxyType({}),
    table: str | None = None,
    max_megapixels: float = MAX_MEGAPIXELS,
    progress: Callable[[int, int], object] | None = None,
) -> Catalog:
    """Read a dataset in a layout that is known or described, and check every row and image of it.

    Faults of a row or a file are set apart with their reason and the rest goes on. The input is
    read only.

    Parameters
    ----------
    source : path
        Holds a table of one of `slimderm.components.dataset.layouts.LAYOUTS` and images in any
        folders below.
    classes : mapping
        Class name to the diagnoses it gathers. Rows of others are set apart.
    negatives : path, optional
        Folder of non-cancerous images, with ``negatives.csv`` in HAM10000's layout or without.
    columns : mapping
        Ours to theirs, where the layout is not known.
    diagnoses : mapping
        Words of the table to diagnoses.
    table : str, optional
        The table, relative to `source`, where several could be meant.
    max_megapixels : float
        Larger images are set apart.
    progress : callable, optional
        Called with the number of files checked and their total.

    Returns
    -------
    Catalog
        Its images may be none; `Catalog.check` says why.

    Raises
    ------
    SchemaError
        If a folder or the table is missing, or the table lacks a column.
    ParameterError
        If `classes` gathers a diagnosis twice, `diagnoses` names one that no class gathers, or
        negative images have no class.
    """
    label_of = diagnosis_to_class(classes)
    words = word_to_diagnosis(classes, diagnoses)
    origins = [read_source(source, negatives, words, columns=columns, table=table)]
    if negatives is not None:
        if NEGATIVE not in label_of:
            raise ParameterError(f"classes: no class gathers {NEGATIVE}; add it to one")
        origins.append(read_negatives(negatives, words))
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
    images = pd.DataFrame(accepted, columns=None if accepted else ["image_id"])
    return Catalog(
        images.sort_values("image_id", ignore_index=True),
        pd.DataFrame(faults, columns=list(QUARANTINE_COLUMNS)),
        [note for origin in origins for note in origin.notes],
    )


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
