"""Unpack archives that somebody else made."""

import lzma
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from slimderm.components.common.errors import DownloadError

MAX_BYTES = 8 * 10**9  # HAM10000's two archives hold 2.8 GB


def unpack_safely(archive: Path, folder: Path, *, max_bytes: int = MAX_BYTES) -> None:
    """Unpack a zip archive into a new folder, which appears whole or not at all.

    Parameters
    ----------
    archive : path
    folder : path
        Must not exist.
    max_bytes : int
        Largest permitted size of all entries, unpacked.

    Raises
    ------
    DownloadError
        If it is no zip archive or damaged, an entry is encrypted, a link, or would lie outside of
        the folder, the entries are larger than `max_bytes`, the folder exists, or there is no room.
    """
    if folder.exists():
        raise DownloadError(f"{folder}: exists already; remove it to unpack {archive.name} anew")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)  # of a process that was killed
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = opened.infolist()
            _check(entries, archive, max_bytes)
            draft.mkdir()
            for entry in entries:
                opened.extract(entry, draft)
        draft.replace(folder)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError) as error:
        raise DownloadError(f"{archive}: is damaged or no zip archive ({error})") from error
    except OSError as error:
        raise DownloadError(f"{archive}: cannot be unpacked ({error})") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _check(entries: list[zipfile.ZipInfo], archive: Path, max_bytes: int) -> None:
    total = sum(entry.file_size for entry in entries)
    if total > max_bytes:
        raise DownloadError(
            f"{archive}: would unpack to {total} bytes, expected at most {max_bytes}"
        )
    for entry in entries:
        name = PurePosixPath(entry.filename.replace("\\", "/"))
        drive = name.parts[:1] and ":" in name.parts[0]
        if not entry.filename or name.is_absolute() or ".." in name.parts or drive:
            raise DownloadError(f"{archive}: entry {entry.filename!r} lies outside of the folder")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise DownloadError(f"{archive}: entry {entry.filename!r} is a link")
        if entry.flag_bits & 1:
            raise DownloadError(f"{archive}: entry {entry.filename!r} is encrypted")
