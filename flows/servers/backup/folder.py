"""A backup as a folder: a folder for each part, the hash of each file, and a manifest.

``SHA256SUMS`` is what ``sha256sum --check`` reads. The manifest is written last, in a folder that
gets its name when it is whole: without a manifest it is no backup.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slimderm.components.common.errors import RecordError
from slimderm.flows.base.files import file_hash, read_json, write_json, write_text

MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
FORMAT = 1
SHOWN = 3  # files that a message names


@dataclass(frozen=True)
class Backup:
    """A backup that was read, whose files are as they were written."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def parts(self) -> list[str]:
        """Names of the parts that it holds."""
        return list(self.manifest["parts"])


def seal(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the hashes of a folder's files, then its manifest."""
    sums = _hashes(folder)
    write_text(folder / SUMS, "".join(f"{value}  {path}\n" for path, value in sums.items()))
    write_json(folder / MANIFEST, manifest | {"format": FORMAT, "sums": file_hash(folder / SUMS)})


def opened(folder: Path) -> Backup:
    """Read a backup, and compare each of its files with its hash.

    Raises
    ------
    RecordError
        If it is no whole backup, of a later format, or any file is not as it was written.
    """
    if not (folder / MANIFEST).is_file():
        raise RecordError(
            f"{folder}: received no {MANIFEST} in it, expected a whole backup, as `make backup` "
            "writes it; one that was interrupted has none"
        )
    try:
        manifest = read_json(folder / MANIFEST)
        form, expected, _ = manifest["format"], manifest["sums"], manifest["parts"].keys()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(
            f"{folder / MANIFEST}: received what is no manifest of a backup ({error!r}); it is "
            "damaged, take another copy"
        ) from error
    if form != FORMAT:
        raise RecordError(
            f"{folder}: received a backup of format {form}, expected {FORMAT}; restore it with the "
            f"version of SlimDerm that made it ({manifest.get('versions')})"
        )
    received = file_hash(folder / SUMS) if (folder / SUMS).is_file() else "no file"
    if received != expected:
        raise RecordError(
            f"{folder / SUMS}: received {received}, expected a file of SHA-256 {expected} as the "
            "manifest says; it is damaged, take another copy"
        )
    _check(folder)
    return Backup(folder, manifest)


def _check(folder: Path) -> None:
    """Compare the files of a folder with its list of hashes."""
    lines = (folder / SUMS).read_text().splitlines()
    expected = {path: value for value, _, path in (line.partition("  ") for line in lines)}
    received = _hashes(folder)
    wrong = [
        f"{path}: received {received.get(path, 'no file')}, expected {expected.get(path, 'none')}"
        for path in sorted(expected.keys() | received.keys())
        if expected.get(path) != received.get(path)
    ]
    if wrong:
        raise RecordError(
            f"{folder}: {len(wrong)} of {len(expected)} files are not as they were written; take "
            f"another copy of the backup. {'; '.join(wrong[:SHOWN])}"
            f"{' …' if len(wrong) > SHOWN else ''}"
        )


def _hashes(folder: Path) -> dict[str, str]:
    """Hash the files of a folder's parts."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    named = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: file_hash(path) for name, path in named.items() if name not in (MANIFEST, SUMS)}
