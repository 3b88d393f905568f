import hashlib
import os

import boto3
import pytest

from slimderm.components.common.errors import RecordError
from slimderm.flows.record.s3_objects import Objects

pytestmark = pytest.mark.integration


@pytest.fixture
def bucket(monkeypatch, endpoint):
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tester")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tester")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    made = boto3.resource("s3").create_bucket(Bucket="lesions")
    yield made
    made.objects.all().delete()
    made.delete()


def test_objects_below_an_address_are_files(bucket, tmp_path):
    for key in ("kept/a/b.bin", "kept/a/", "kept-too/c.bin", "d.bin"):
        bucket.put_object(Key=key, Body=b"" if key.endswith("/") else key.encode())
    objects = Objects("s3://lesions/kept")
    assert objects.sizes() == {"a/b.bin": len("kept/a/b.bin")}  # no folder's mark, no neighbour
    objects.fetch("a/b.bin", tmp_path / "a/b.bin")
    assert (tmp_path / "a/b.bin").read_bytes() == b"kept/a/b.bin"
    assert objects.sha256("a/b.bin") == hashlib.sha256(b"kept/a/b.bin").hexdigest()
    objects.send("new", tmp_path / "a/b.bin")
    objects.delete("a/b.bin")
    assert sorted(each.key for each in bucket.objects.all()) == [
        "d.bin", "kept-too/c.bin", "kept/a/", "kept/new"
    ]  # fmt: skip
    assert Objects("s3://nowhere/kept").sizes() == {}


def test_a_key_that_no_folder_can_hold_is_an_error_that_names_it(bucket):
    bucket.put_object(Key="kept/../../etc/passwd", Body=b"x")
    with pytest.raises(RecordError, match=r"received the key '\.\./\.\./etc/passwd'"):
        Objects("s3://lesions/kept").sizes()


def test_a_store_that_does_not_answer_is_an_error_that_says_what_to_check(bucket):
    with pytest.raises(RecordError, match=r"s3://lesions/kept does not answer.*AWS_ENDPOINT_URL"):
        Objects("s3://lesions/kept").sha256("not there")
