import os

import boto3
import pytest

from components.errors import ParameterError, RecordError
from flows.store import bucket_and_prefix, check_bucket


@pytest.fixture
def credentials(monkeypatch, endpoint):
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tester")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tester")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


def test_an_s3_address_is_split():
    assert bucket_and_prefix("s3://lesions/ham/v1") == ("lesions", "ham/v1")
    assert bucket_and_prefix("s3://lesions") == ("lesions", "")


@pytest.mark.parametrize("url", ["lesions", "s3://", "http://lesions/x"])
def test_another_address_is_an_error(url):
    with pytest.raises(ParameterError, match="expected s3://bucket/prefix"):
        bucket_and_prefix(url)


@pytest.mark.integration
def test_a_missing_bucket_is_made_and_left_clean(credentials):
    check_bucket("s3://lesions/ham")
    check_bucket("s3://lesions/ham")
    client = boto3.client("s3")
    assert [entry["Name"] for entry in client.list_buckets()["Buckets"]] == ["lesions"]
    assert "Contents" not in client.list_objects_v2(Bucket="lesions")


def test_a_store_that_does_not_answer_is_named(monkeypatch, credentials):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(RecordError, match="AWS_ENDPOINT_URL"):
        check_bucket("s3://lesions")
