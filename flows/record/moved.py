"""A record whose clone was moved or copied: MLflow's database holds absolute places.

MLflow makes each artifact's place absolute when it records it. In a clone that stands elsewhere now
they would lead into the place where it stood, which may be the clone that it is a copy of.
"""

import contextlib
import sqlite3
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from slimderm.components.common.errors import RecordError
from slimderm.flows.base.terminal import console


def former_place(database: Path, artifacts: str) -> Path | None:
    """Return the folder of the clone in which a database was written, where that is another.

    Parameters
    ----------
    database : Path
        MLflow's, an SQLite file.
    artifacts : str
        The folder of MLflow's files, as ``params.yaml`` names it.

    Returns
    -------
    Path or None
        None, too, for a database outside the current folder, and for artifacts with a place of
        their own: they move with no clone.
    """
    here = Path.cwd().resolve()
    kept = not Path(artifacts).is_absolute() and database.resolve().is_relative_to(here)
    if not kept or not database.exists():
        return None
    ending = f"/{Path(artifacts).as_posix()}"
    with _opened(database) as connection:
        try:
            rows = connection.execute("select artifact_location from experiments").fetchall()
        except sqlite3.DatabaseError:  # damaged, or no record: MLflow says so
            return None
    for (location,) in rows:
        place = urllib.parse.urlsplit(location or "")
        folder = urllib.parse.unquote(place.path)
        if place.scheme in ("", "file") and folder.startswith("/") and folder.endswith(ending):
            clone = Path(folder.removesuffix(ending) or "/")
            if clone != here:
                return clone
    return None


def settle(database: Path, artifacts: str) -> None:
    """Make the places in a database those of the clone in which it stands now.

    Raises
    ------
    RecordError
        If the artifacts were left behind.
    """
    old, here = former_place(database, artifacts), Path.cwd().resolve()
    if old is None:
        return
    if not Path(artifacts).is_dir():
        raise RecordError(
            f"{database.name}: received a record whose files lie in {old / artifacts}, which is "
            f"not of this clone, expected them in {artifacts}; move or copy that folder here, or "
            f"delete {database.name} and run `make backfill`"
        )
    with _opened(database) as connection:
        connection.execute("begin immediate")
        for table, column in _texts(connection):
            for before, after in ((old.as_uri(), here.as_uri()), (str(old), str(here))):
                connection.execute(
                    f'update "{table}" set "{column}" = ? || substr("{column}", ?) '
                    f'where substr("{column}", 1, ?) = ?',
                    (after, len(before) + 1, len(before) + 1, f"{before}/"),
                )
        connection.commit()
    console.print(
        f"record: this clone stood in {old}; the places in {database.name} are set right",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


@contextlib.contextmanager
def _opened(database: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(database, timeout=60)) as connection:
        yield connection


def _texts(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """List table and column of everything that holds text."""
    tables = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
    return [
        (table, column)
        for (table,) in tables
        for _, column, kind, *_ in connection.execute(f'pragma table_info("{table}")').fetchall()
        if "CHAR" in kind.upper() or "TEXT" in kind.upper()
    ]
