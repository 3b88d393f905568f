"""Check a compressed dataset against its manifest."""

import hashlib
from collections.abc import Callable, Collection
from pathlib import Path, PurePosixPath

import pandas as pd

from slimderm.components.common.errors import SchemaError

NEEDED = ("file", "source_file", "sha256_before", "sha256_after")
COLUMNS = ("file", "problem", "detail")


def verify(
    folder: Path,
    manifest: pd.DataFrame,
    *,
    source: Path | None = None,
    own: Collection[str] = (),
    progress: Callable[[int], object] | None = None,
) -> pd.DataFrame:
    """Hash every file again, and name what differs.

    Parameters
    ----------
    folder : path
        The compressed dataset.
    manifest : DataFrame
        A row an image with at least file, source_file,
        sha256_before, sha256_after.
    source : path, optional
        What the sources are relative to; without it they are not looked at.
    own : collection of str
        Files of `folder` that no row names and that belong there, such as the manifest's.
    progress : callable, optional
        Called with the number of rows checked so far.

    Returns
    -------
    DataFrame
        Columns file, problem (``missing``, ``changed``, ``not in the manifest``, ``source
        missing``, ``source changed``) and detail; empty where all is well.

    Raises
    ------
    SchemaError
        If the manifest lacks a column, or names a file outside the folder.
    """
    lacking = [name for name in NEEDED if name not in manifest]
    if lacking:
        raise SchemaError(
            f"manifest: lacks {', '.join(lacking)}, expected {', '.join(NEEDED)}; write the "
            "dataset anew with `make run`"
        )
    found = []
    for done, row in enumerate(manifest.itertuples(), start=1):
        found += _differences(folder, str(row.file), str(row.sha256_after), "")
        if source is not None:
            found += _differences(source, str(row.source_file), str(row.sha256_before), "source ")
        if progress is not None:
            progress(done)
    known = {*manifest["file"], *own}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if name not in known and not path.name.startswith("."):
            found.append((name, "not in the manifest", f"{path.stat().st_size} bytes"))
    return pd.DataFrame(found, columns=list(COLUMNS))


def _differences(folder: Path, file: str, expected: str, kind: str) -> list[tuple[str, str, str]]:
    name = PurePosixPath(file)
    if name.is_absolute() or ".." in name.parts:
        raise SchemaError(f"manifest: received {file!r}, expected a file inside {folder}")
    try:
        with (folder / file).open("rb") as stream:
            received = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        return [(file, f"{kind}missing", str(error.strerror))]
    if received == expected:
        return []
    return [(file, f"{kind}changed", f"received {received[:12]}, expected {expected[:12]}")]
