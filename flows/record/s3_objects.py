"""What lies below an S3 address, as files: for backups."""

import hashlib
from pathlib import Path

from slimderm.components.common.errors import RecordError
from slimderm.flows.record.s3 import bucket_and_prefix, client, store_errors

AT_ONCE = 8  # transfers side by side


class Objects:
    """The objects below an S3 address, as files of a folder: a key below the address is a path.

    Parameters
    ----------
    url : str
        ``s3://bucket/prefix``.

    Raises
    ------
    ParameterError
        If `url` is not of that form.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.bucket, prefix = bucket_and_prefix(url)
        self.prefix = f"{prefix}/" if prefix else ""
        with store_errors(url):
            self._client = client(max_pool_connections=AT_ONCE)

    def sizes(self) -> dict[str, int]:
        """List what is there, without the empty objects by which consoles show folders.

        Returns
        -------
        dict
            Of each path, its bytes; empty, too, where there is no such bucket.

        Raises
        ------
        RecordError
            If the store does not answer, or a key is no path that a folder can hold.
        """
        found: dict[str, int] = {}
        with store_errors(self.url):
            pages = self._client.get_paginator("list_objects_v2")
            try:
                for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix):
                    for entry in page.get("Contents", []):
                        found[entry["Key"].removeprefix(self.prefix)] = entry["Size"]
            except self._client.exceptions.NoSuchBucket:
                return {}
        found = {path: size for path, size in found.items() if size or not path.endswith("/")}
        for path in found:
            if set(path.split("/")) & {"", ".", ".."} or set(path) & {"\n", "\r", "\\"}:
                raise RecordError(
                    f"store {self.url}: received the key {path!r}, expected one that a folder can "
                    "hold as a path; it is neither MLflow's nor DVC's: delete it"
                )
        return found

    def fetch(self, path: str, target: Path) -> None:
        """Write one object to a file, with the folders above it."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with store_errors(self.url):
            self._client.download_file(self.bucket, self.prefix + path, str(target))

    def send(self, path: str, source: Path) -> None:
        """Store a file as an object."""
        with store_errors(self.url):
            self._client.upload_file(str(source), self.bucket, self.prefix + path)

    def sha256(self, path: str) -> str:
        """Read an object and hash its bytes."""
        found = hashlib.sha256()
        with store_errors(self.url):
            body = self._client.get_object(Bucket=self.bucket, Key=self.prefix + path)["Body"]
            for block in body.iter_chunks(1 << 20):
                found.update(block)
        return found.hexdigest()

    def delete(self, path: str) -> None:
        """Delete one object."""
        with store_errors(self.url):
            self._client.delete_object(Bucket=self.bucket, Key=self.prefix + path)
