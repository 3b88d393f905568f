"""The sole importer of boto3: an S3 bucket as the place where data versions are kept."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlparse

from slimderm.components.common.errors import ParameterError, RecordError

# Stores other than Amazon's refuse the checksum headers that newer clients send by default.
CHECKSUMS = {
    "AWS_REQUEST_CHECKSUM_CALCULATION": "WHEN_REQUIRED",
    "AWS_RESPONSE_CHECKSUM_VALIDATION": "WHEN_REQUIRED",
}


def bucket_and_prefix(url: str) -> tuple[str, str]:
    """Split ``s3://bucket/prefix``.

    Raises
    ------
    ParameterError
        If `url` is not of that form.
    """
    parsed = urlparse(url)
    if parsed.scheme != "s3" or not parsed.netloc:
        raise ParameterError(
            f"store: received {url!r}, expected s3://bucket/prefix (or a folder, as the remote)"
        )
    return parsed.netloc, parsed.path.strip("/")


def check_bucket(url: str) -> None:
    """Make sure that a bucket can be written and read, creating it where it is missing.

    The endpoint and the credentials come from the environment (``AWS_ENDPOINT_URL``,
    ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``), never from a file of this project.

    Raises
    ------
    RecordError
        If the store cannot be reached or refuses; the message says what it answered.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, prefix = bucket_and_prefix(url)
    for name, value in CHECKSUMS.items():
        os.environ.setdefault(name, value)
    key = f"{prefix}/.slimderm-probe".lstrip("/")
    try:
        client = boto3.client("s3")
        _make_sure(client, bucket, prefix)
        client.put_object(Bucket=bucket, Key=key, Body=b"slimderm")
        returned = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        client.delete_object(Bucket=bucket, Key=key)
    except (BotoCoreError, ClientError, ValueError) as error:  # of an address without a scheme
        raise RecordError(
            f"store {url} does not answer as a writable bucket ({error}); check AWS_ENDPOINT_URL "
            "(http:// or https:// and a host) and the credentials in the environment"
        ) from error
    if returned != b"slimderm":
        raise RecordError(
            f"store {url}: received other bytes than were written, expected the same; it is "
            "broken, or another program writes there: choose another (`make remote URL=...`)"
        )


def _make_sure(client: Any, bucket: str, prefix: str) -> None:
    """Create a missing bucket; works without the right to list other buckets."""
    from botocore.exceptions import ClientError

    try:
        # Not head_bucket: it needs the right to list everything in the bucket.
        client.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/" if prefix else "", MaxKeys=1)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
            raise
        with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou):  # another was first
            client.create_bucket(Bucket=bucket)


def use_remote(url: str, *others: str) -> None:
    """Use `url`, an S3 address or a folder, as the DVC remote of this clone.

    Parameters
    ----------
    url : str
        A folder, or an S3 address; with a scheme, or empty, it is checked as an S3 address.
    *others : str
        S3 addresses that must be writable, too, such as that of MLflow's artifacts.

    Raises
    ------
    ParameterError, RecordError
        If an address is not S3's, or its bucket cannot be written.
    """
    from slimderm.flows.record import data_versions

    for address in (url, *others):
        if not address.strip() or urlparse(address).scheme:
            check_bucket(address)
    data_versions.set_remote(url)


def client(**settings: Any) -> Any:
    """Return boto3's client, for the endpoint and the credentials of the environment."""
    import boto3
    from botocore.config import Config

    for name, value in CHECKSUMS.items():
        os.environ.setdefault(name, value)
    return boto3.client("s3", config=Config(**settings))


@contextlib.contextmanager
def store_errors(url: str) -> Iterator[None]:
    """Raise `RecordError` where the store does not answer, or refuses, inside the block."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (Boto3Error, BotoCoreError, ClientError, ValueError) as error:
        raise RecordError(
            f"store {url} does not answer as expected ({error}); check AWS_ENDPOINT_URL and the "
            "credentials in the environment"
        ) from error
