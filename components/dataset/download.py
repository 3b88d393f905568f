"""Download HAM10000 from its publisher: resumed, verified, unpacked safely."""

import hashlib
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.dataset.archives import unpack_safely
from components.errors import DownloadError

# The publisher turns the default agent of Python's library away.
AGENT = "Mozilla/5.0 (compatible; SlimDerm)"
ATTEMPTS = 5
TIMEOUT = 60  # seconds without a byte
BLOCK = 1 << 20
SERVER = "https://dataverse.harvard.edu/api"


@dataclass(frozen=True)
class Source:
    """One file to fetch.

    Attributes
    ----------
    target : str
        What it becomes in the dataset's folder: a folder where the name ends with ``/`` (a zip
        archive is unpacked into it), else a file.
    url : str
        Its address.
    facts_url : str or None
        Address of the publisher's facts on it (JSON with its md5 and size), asked first.
    md5 : str or None
        Its checksum, where it is known without asking.
    """

    target: str
    url: str
    facts_url: str | None = None
    md5: str | None = None


def _dataverse(number: int, target: str) -> Source:
    return Source(target, f"{SERVER}/access/datafile/{number}", f"{SERVER}/files/{number}")


# The table is served tab-separated, which is what its checksum is of; ingest reads either form.
OFFICIAL = (
    _dataverse(3172585, "HAM10000_images_part_1/"),
    _dataverse(3172584, "HAM10000_images_part_2/"),
    _dataverse(4338392, "HAM10000_metadata.tab"),
)


def _open(url: str, start: int = 0) -> http.client.HTTPResponse:
    headers = {"User-Agent": AGENT} | ({"Range": f"bytes={start}-"} if start else {})
    request = urllib.request.Request(url, headers=headers)
    reply: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT)
    return reply


def fetch_facts(source: Source) -> tuple[str | None, int | None]:
    """Ask the publisher for a file's md5 and size in bytes; None for what is not known.

    Raises
    ------
    DownloadError
        If the publisher does not answer, or not with such facts.
    """
    if source.facts_url is None:
        return source.md5, None
    try:
        with _open(source.facts_url) as reply:
            facts = json.load(reply)["data"]["dataFile"]
        return str(facts["md5"]), int(facts["filesize"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        raise DownloadError(
            f"{source.facts_url}: received no checksum ({error!r}); try again later, or download "
            "by hand into the folder"
        ) from error


def download(
    source: Source, path: Path, *, progress: Callable[[int], object] | None = None
) -> Path:
    """Fetch one file, going on where an earlier attempt stopped.

    Parameters
    ----------
    source : Source
    path : path
        Where to; beside it a file of the same name and ``.part`` holds what has arrived.
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
    md5, size = fetch_facts(source)
    if path.exists() and (md5 is None or _md5(path) == md5):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    _receive_all(source.url, part, size, progress)
    received = _md5(part)
    if (size is not None and part.stat().st_size != size) or (md5 and received != md5):
        stated = f"md5 {md5}" + (f", {size} bytes" if size is not None else "")
        got = f"md5 {received}, {part.stat().st_size} bytes"
        part.unlink()
        raise DownloadError(f"{source.url}: received {got}, expected {stated}; download again")
    part.replace(path)
    return path


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest()


def _receive_all(
    url: str, part: Path, size: int | None, progress: Callable[[int], object] | None
) -> None:
    failures = 0
    part.touch()
    while True:
        before = part.stat().st_size
        if size is not None and before >= size:
            return
        try:
            whole = _receive(url, part, before, progress)
            if whole or (size is not None and part.stat().st_size >= size):
                return
            reason = "the connection ended early"
        except urllib.error.HTTPError as error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and before:
                return  # all of it is here already; the checksum decides
            if error.code < http.HTTPStatus.INTERNAL_SERVER_ERROR:
                raise DownloadError(f"{url}: received HTTP {error.code} {error.reason}") from error
            reason = f"HTTP {error.code}"
        except (OSError, http.client.HTTPException) as error:
            reason = repr(error)
        failures = 0 if part.stat().st_size > before else failures + 1
        if failures >= ATTEMPTS:
            raise DownloadError(
                f"{url}: {ATTEMPTS} attempts in a row brought nothing ({reason}); run the command "
                "again to go on from here"
            )
        time.sleep(0.1 * 2**failures)


def _receive(url: str, part: Path, start: int, progress: Callable[[int], object] | None) -> bool:
    """Append what comes; return whether the server's count of bytes was reached."""
    with _open(url, start) as reply:
        resumed = reply.status == http.HTTPStatus.PARTIAL_CONTENT
        start = start if resumed else 0
        stated = reply.headers.get("Content-Length")
        arrived = 0
        with part.open("ab" if resumed else "wb") as stream:
            while block := reply.read(BLOCK):
                stream.write(block)
                arrived += len(block)
                if progress is not None:
                    progress(start + arrived)
        return stated is None or arrived >= int(stated)


def fetch_dataset(
    folder: Path,
    sources: Sequence[Source] = OFFICIAL,
    *,
    progress: Callable[[str, int], object] | None = None,
) -> None:
    """Bring a dataset into the official layout; what is there already is not fetched again.

    Parameters
    ----------
    folder : path
        Receives the image folders and the table.
    sources : sequence of Source
    progress : callable, optional
        Called with the target and the number of bytes that have arrived.

    Raises
    ------
    DownloadError
        As `download` and `components.dataset.archives.unpack_safely`.
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
