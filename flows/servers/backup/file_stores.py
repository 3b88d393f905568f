"""Files as a part of a backup: a folder, the objects below an S3 address, files of the clone."""

import shutil
import subprocess
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from slimderm.components.common.cache import replacing
from slimderm.components.common.errors import RecordError
from slimderm.flows.base.files import file_hash
from slimderm.flows.record.s3 import check_bucket
from slimderm.flows.record.s3_objects import AT_ONCE, Objects

Item = TypeVar("Item")


def store(name: str, address: str) -> "Folder | Bucket":
    """Return the store of an address: ``s3://bucket/prefix``, or a folder."""
    if address.startswith("s3://"):
        return Bucket(name, address)
    return Folder(name, Path(address.removeprefix("file://")))


@dataclass(frozen=True)
class Folder:
    """A folder of this machine."""

    name: str
    path: Path

    @property
    def place(self) -> str:
        """Where it lies, for messages."""
        return str(self.path)

    def exists(self) -> bool:
        """Whether there is something to save."""
        return self.path.is_dir() and any(self.path.iterdir())

    def save(self, folder: Path) -> None:
        """Copy its files.

        Raises
        ------
        RecordError
            If one cannot be copied, such as one that was deleted meanwhile.
        """
        try:
            shutil.copytree(self.path, folder, dirs_exist_ok=True)
        except shutil.Error as error:
            source, _, reason = error.args[0][0]
            raise RecordError(
                f"{self.name}: {source} was not copied ({reason}), expected a file that stays "
                "while it is read; run again"
            ) from error

    def holds(self) -> str:
        """Say what a restore would overwrite; empty where that is nothing."""
        return f"the folder {self.path}" if self.exists() else ""

    def used_by(self) -> str:
        """Name who uses it: nobody, as files appear in it whole."""
        return ""

    def restore(self, folder: Path) -> None:
        """Put the copy in its place, by a rename."""
        with replacing(self.path) as draft:
            shutil.copytree(folder, draft, dirs_exist_ok=True)


@dataclass(frozen=True)
class Bucket:
    """The objects below an S3 address."""

    name: str
    place: str

    def exists(self) -> bool:
        """Whether there is something to save."""
        return bool(Objects(self.place).sizes())

    def save(self, folder: Path) -> None:
        """Fetch its objects.

        Raises
        ------
        RecordError
            If one is not as long as the store's list says, or cannot be fetched.
        """
        objects = Objects(self.place)

        def fetch(entry: tuple[str, int]) -> None:
            path, size = entry
            objects.fetch(path, folder / path)
            found = (folder / path).stat().st_size
            if found != size:
                raise RecordError(
                    f"{self.name}: received {found} bytes of {path} from {self.place}, expected "
                    f"{size} as its list says; it was written meanwhile: run again"
                )

        _side_by_side(fetch, objects.sizes().items())

    def holds(self) -> str:
        """Say what a restore would overwrite; empty where that is nothing."""
        number = len(Objects(self.place).sizes())
        return f"{number} objects below {self.place}" if number else ""

    def used_by(self) -> str:
        """Name who uses it: nobody, as objects appear in it whole."""
        return ""

    def restore(self, folder: Path) -> None:
        """Send the files, read each again, then delete what the backup does not hold.

        Raises
        ------
        RecordError
            If the store gives back other bytes than it was sent.
        """
        check_bucket(self.place)
        objects = Objects(self.place)
        files = {
            path.relative_to(folder).as_posix(): path
            for path in folder.rglob("*")
            if path.is_file()
        }

        def send(entry: tuple[str, Path]) -> None:
            path, file = entry
            objects.send(path, file)
            received, expected = objects.sha256(path), file_hash(file)
            if received != expected:
                raise RecordError(
                    f"{self.name}: received {path} of SHA-256 {received} back from {self.place}, "
                    f"expected {expected} as it was sent; the store is broken"
                )

        _side_by_side(send, files.items())
        _side_by_side(objects.delete, objects.sizes().keys() - files.keys())


@dataclass(frozen=True)
class Clone:
    """Those files of the clone that say what the data versions are; git holds the others."""

    name: str
    files: tuple[Path, ...]

    @property
    def place(self) -> str:
        """What they are, for messages."""
        return ", ".join(map(str, self.files))

    def exists(self) -> bool:
        """Whether there is something to save."""
        return any(file.exists() for file in self.files)

    def save(self, folder: Path) -> None:
        """Copy them."""
        for file in self.files:
            if file.exists():
                _copy(file, folder / file)

    def holds(self) -> str:
        """Say what a restore would overwrite: what git could not give back."""
        asked = ["git", "status", "--porcelain", "--", *map(str, self.files)]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        if done.returncode:  # no clone of git: nothing could be given back
            return ", ".join(str(file) for file in self.files if file.exists())
        return ", ".join(line[3:] for line in done.stdout.splitlines())

    def used_by(self) -> str:
        """Name who uses them: nobody for long."""
        return ""

    def restore(self, folder: Path) -> None:
        """Put the copies in their places."""
        for file in self.files:
            if (folder / file).exists():
                _copy(folder / file, file)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _side_by_side(work: Callable[[Item], None], items: Iterable[Item]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(work, items):
            pass
