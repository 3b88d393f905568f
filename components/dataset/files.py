"""The files of a dataset's folder: which are images, which may be its table, which are left out."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from slimderm.components.common.errors import SchemaError
from slimderm.components.dataset.formats import SUFFIXES

TABLES = (".csv", ".tab", ".tsv", ".txt", "")  # Dataverse leaves the ending off
# Endings of images that are not read; they are named where a row asks for such a file.
UNREAD = (".bmp", ".dcm", ".dng", ".gif", ".heic", ".heif", ".jp2", ".tif", ".tiff")
# Folders that programs fill with small copies, beside all whose name begins with a dot.
THUMBNAILS = ("thumb", "thumbs", "thumbnail", "thumbnails", "@eadir", "__macosx")


@dataclass(frozen=True)
class Found:
    """What lies in a folder, each list by path.

    Attributes
    ----------
    images, unread, tables : list of path
        Files that can be images or tables, by their ending.
    left_out : dict
        Hidden and thumbnail folders, to the number of images in each, and hidden images (1).
    """

    images: list[Path] = field(default_factory=list)
    unread: list[Path] = field(default_factory=list)
    tables: list[Path] = field(default_factory=list)
    left_out: dict[Path, int] = field(default_factory=dict)


def find_files(folder: Path, apart: Path | None = None) -> Found:
    """Look through a folder and all below it, symbolic links included.

    Hidden and thumbnail folders, and hidden files, are left out. A folder that links reach twice is
    read once.

    Parameters
    ----------
    folder : path
    apart : path, optional
        A folder below, which is left out.

    Raises
    ------
    SchemaError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise SchemaError(f"{folder}: no such folder, expected one with images")
    found = Found()
    own = None if apart is None else apart.resolve()
    for place, files in _walk(folder, own):
        if place != folder and is_left_out(place):
            count = sum(
                path.suffix.lower() in SUFFIXES for _, names in _walk(place) for path in names
            )
            found.left_out[place] = count
            continue
        for path in files:
            suffix = path.suffix.lower()
            if path.name.startswith("."):
                if suffix in SUFFIXES:
                    found.left_out[path] = 1
            elif suffix in SUFFIXES:
                found.images.append(path)
            elif suffix in UNREAD:
                found.unread.append(path)
            elif suffix in TABLES:
                found.tables.append(path)
    for paths in (found.images, found.unread, found.tables):
        paths.sort()
    return found


def is_left_out(folder: Path) -> bool:
    """Whether a folder is hidden, or one that programs fill with thumbnails."""
    return folder.name.startswith(".") or folder.name.casefold() in THUMBNAILS


def _walk(folder: Path, apart: Path | None = None) -> Iterator[tuple[Path, list[Path]]]:
    """Yield folders and their files; not below one that is left out, which is yielded alone."""
    seen: set[Path] = set()
    for name, below, files in os.walk(folder, followlinks=True):
        place = Path(name)
        real = place.resolve()
        if real in seen or real == apart:
            below.clear()
            continue
        seen.add(real)
        below.sort()
        if place != folder and is_left_out(place):
            below.clear()
        yield place, [place / file for file in sorted(files)]
