"""Where HAM10000 comes from, and what its publisher states of each file."""

import http.client
import json
import urllib.request
from dataclasses import dataclass

from slimderm.components.common.errors import DownloadError

# The publisher turns the default agent of Python's library away.
AGENT = "Mozilla/5.0 (compatible; SlimDerm) AppleWebKit/537.36"
TIMEOUT = 60  # seconds without a byte
SERVER = "https://dataverse.harvard.edu/api"
ORIGINAL = "format=original"


@dataclass(frozen=True)
class DownloadSource:
    """One file to fetch.

    Attributes
    ----------
    target : str
        What it becomes in the dataset's folder: a folder where the name ends with ``/`` (a zip
        archive is unpacked into it), else a file.
    url : str
        Its address.
    facts_url : str or None
        Address of the publisher's facts on it (JSON with its checksum and size), asked first.
    checksum : str or None
        ``md5:...`` or ``sha256:...``, where it is known without asking; it takes precedence.
    """

    target: str
    url: str
    facts_url: str | None = None
    checksum: str | None = None


def _dataverse(number: int, target: str, query: str = "") -> DownloadSource:
    return DownloadSource(
        target, f"{SERVER}/access/datafile/{number}{query}", f"{SERVER}/files/{number}"
    )


# Dataverse serves a table converted, but states the checksum of the file it was made from.
OFFICIAL = (
    _dataverse(3172585, "HAM10000_images_part_1/"),
    _dataverse(3172584, "HAM10000_images_part_2/"),
    _dataverse(4338392, "HAM10000_metadata.csv", f"?{ORIGINAL}"),
)


def open_url(url: str, start: int = 0) -> http.client.HTTPResponse:
    """Ask for a file, from byte `start` on where the server can."""
    headers = {"User-Agent": AGENT} | ({"Range": f"bytes={start}-"} if start else {})
    request = urllib.request.Request(url, headers=headers)
    reply: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT)
    return reply


def fetch_facts(source: DownloadSource) -> tuple[str | None, int | None]:
    """Ask the publisher for a file's checksum and size in bytes.

    Parameters
    ----------
    source : DownloadSource

    Returns
    -------
    checksum : str or None
        ``md5:...`` or of another algorithm of `hashlib`; None where nobody states it.
    size : int or None

    Raises
    ------
    DownloadError
        If the publisher does not answer, or not with such facts.
    """
    if source.facts_url is None:
        return source.checksum, None
    try:
        with open_url(source.facts_url) as reply:
            facts = json.load(reply)["data"]["dataFile"]
        stated = facts.get("checksum") or {"type": "MD5", "value": facts["md5"]}
        checksum = f"{stated['type'].replace('-', '').lower()}:{stated['value'].lower()}"
        # Of a converted table, ``filesize`` is the conversion's.
        size = facts.get("originalFileSize") if ORIGINAL in source.url else facts["filesize"]
        return source.checksum or checksum, None if size is None else int(size)
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
        raise DownloadError(
            f"{source.facts_url}: received no checksum ({error!r}); try again later, or download "
            "by hand into the folder"
        ) from error
