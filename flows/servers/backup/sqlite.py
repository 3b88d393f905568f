"""An SQLite database as one file, by its online backup."""

import contextlib
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import psutil

from slimderm.components.common.errors import RecordError


@dataclass(frozen=True)
class Sqlite:
    """An SQLite file. A copy of it is whole whatever is written meanwhile."""

    name: str
    path: Path
    file = "database.sqlite"

    @property
    def place(self) -> str:
        """Where it lies, for messages."""
        return str(self.path)

    def exists(self) -> bool:
        """Whether there is one to save."""
        return self.path.exists()

    def save(self, folder: Path) -> None:
        """Copy it into a folder.

        Raises
        ------
        RecordError
            If it is damaged.
        """
        source = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True, timeout=60)
        target = sqlite3.connect(folder / self.file)
        with contextlib.closing(source), contextlib.closing(target):
            try:
                source.backup(target)
                (found,) = target.execute("pragma quick_check(1)").fetchone()
            except sqlite3.DatabaseError as error:
                found = str(error)
        if found != "ok":
            raise RecordError(
                f"{self.name}: received {self.path}, which is damaged ({found}), expected an "
                "SQLite database; restore an earlier backup of it"
            )

    def holds(self) -> str:
        """Say what a restore would overwrite; empty where that is nothing."""
        return f"the file {self.path}" if self.path.exists() else ""

    def used_by(self) -> str:
        """Name a process that has it open."""
        place = str(self.path.resolve())
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if any(each.path == place for each in process.open_files()):
                    return f"process {process.pid}, {process.name()}"
        return ""

    def restore(self, folder: Path) -> None:
        """Put the copy in its place, by a rename."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_name(f".{self.path.name}.restored")
        shutil.copyfile(folder / self.file, draft)
        for ending in ("-wal", "-shm", "-journal"):  # of the one that it replaces
            self.path.with_name(self.path.name + ending).unlink(missing_ok=True)
        draft.replace(self.path)
