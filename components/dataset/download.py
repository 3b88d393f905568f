"""Download HAM10000 from its publisher: resumed, verified, unpacked safely."""

import hashlib
import http.client
import os
import time
import urllib.error
from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path

from slimderm.components.common.errors import DownloadError
from slimderm.components.dataset.archives import unpack_safely
from slimderm.components.dataset.download_source import DownloadSource, fetch_facts, open_url

ATTEMPTS = 5
PAUSE = 1.0  # seconds before the first new attempt; doubled each time
BLOCK = 1 << 20
TRANSIENT = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
Progress = Callable[[int], object]


def download(source: DownloadSource, path: Path, *, progress: Progress | None = None) -> Path:
    """Fetch one file, going on where an earlier attempt stopped.

    Parameters
    ----------
    source : DownloadSource
    path : path
        Where to; beside it a file of the same name and ``.part`` holds what has arrived. A file
        that is there already and has the stated checksum is left as it is.
    progress : callable, optional
        Called with the number of bytes that have arrived.

    Returns
    -------
    path
        `path`, whole and verified.

    Raises
    ------
    DownloadError
        If the connection fails `ATTEMPTS` times without a new byte, or what arrived has another
        size or checksum than the publisher states; then nothing of it is kept.
    """
    checksum, size = fetch_facts(source)
    if checksum is not None and path.exists() and _checksum(path, checksum) == checksum:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    _receive_all(source.url, part, size, progress)
    received, num_bytes = _checksum(part, checksum), part.stat().st_size
    if received != checksum or size not in (None, num_bytes):
        part.unlink()
        stated = checksum if size is None else f"{checksum}, {size} bytes"
        raise DownloadError(
            f"{source.url}: received {received}, {num_bytes} bytes, expected {stated}; download "
            "again"
        )
    part.replace(path)
    return path


def _checksum(path: Path, like: str | None) -> str | None:
    """Checksum of a file by the algorithm of another one, ``algorithm:digits``."""
    if like is None:
        return None
    algorithm, _, _ = like.partition(":")
    try:
        digest = hashlib.new(algorithm, usedforsecurity=False)
    except ValueError as error:
        raise DownloadError(
            f"checksum: received algorithm {algorithm!r}, expected md5 or sha256"
        ) from error
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return f"{algorithm}:{digest.hexdigest()}"


def _receive_all(url: str, part: Path, size: int | None, progress: Progress | None) -> None:
    """Receive until all is here or `ATTEMPTS` attempts in a row have brought nothing."""
    part.touch()
    if size is not None and part.stat().st_size > size:
        os.truncate(part, 0)  # no beginning of this file
    most = part.stat().st_size
    failures = 0
    while True:
        before = part.stat().st_size
        if before == size:
            return
        try:
            if _receive(url, part, size, progress):
                return
            reason = "the connection ended early"
        except urllib.error.HTTPError as error:
            with error:
                if _has_all(error, part):
                    return
            reason = f"HTTP {error.code}"
        except (OSError, http.client.HTTPException) as error:
            reason = repr(error)
        arrived = part.stat().st_size
        failures = 0 if arrived > most else failures + 1
        most = max(most, arrived)
        if failures >= ATTEMPTS:
            raise DownloadError(
                f"{url}: {ATTEMPTS} attempts in a row received no data ({reason}); run the command "
                "again to continue"
            )
        time.sleep(PAUSE * 2**failures)


def _has_all(error: urllib.error.HTTPError, part: Path) -> bool:
    """Tell whether a refusal means that nothing is missing; raise where it is final."""
    if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        if error.headers.get("Content-Range") == f"bytes */{part.stat().st_size}":
            return True
        os.truncate(part, 0)  # what is here is no beginning of what the server has
    elif error.code < HTTPStatus.INTERNAL_SERVER_ERROR and error.code not in TRANSIENT:
        raise DownloadError(f"{error.url}: received HTTP {error.code} {error.reason}") from error
    return False


def _receive(url: str, part: Path, size: int | None, progress: Progress | None) -> bool:
    """Append what comes; return whether all has come that the server announced.

    A server that announces no length ends by closing the connection, as a broken one does: then
    only `size` can tell.
    """
    start = part.stat().st_size
    with open_url(url, start) as reply:
        resumed = reply.status == HTTPStatus.PARTIAL_CONTENT
        start = start if resumed else 0
        stated = reply.headers.get("Content-Length")
        arrived = 0
        with part.open("ab" if resumed else "wb") as stream:
            while block := reply.read(BLOCK):
                stream.write(block)
                arrived += len(block)
                if progress is not None:
                    progress(start + arrived)
    if stated is None:
        return size is None or start + arrived >= size
    return arrived >= int(stated)


def fetch_dataset(
    folder: Path,
    sources: Sequence[DownloadSource],
    *,
    progress: Callable[[str, int], object] | None = None,
) -> None:
    """Bring a dataset into the official layout; what is there already is not fetched again.

    Parameters
    ----------
    folder : path
        Receives the image folders and the table.
    sources : sequence of DownloadSource
    progress : callable, optional
        Called with the target and the number of bytes that have arrived.

    Raises
    ------
    DownloadError
        As `download` and `slimderm.components.dataset.archives.unpack_safely`.
    """
    for source in sources:
        target = folder / source.target.rstrip("/")
        if target.exists():
            continue

        def tell(arrived: int, name: str = source.target) -> None:
            if progress is not None:
                progress(name, arrived)

        if source.target.endswith("/"):
            archive = download(source, target.with_name(f"{target.name}.zip"), progress=tell)
            unpack_safely(archive, target)
            archive.unlink()
        else:
            download(source, target, progress=tell)
