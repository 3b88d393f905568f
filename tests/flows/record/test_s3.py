import os
import subprocess
import sys

import boto3
import pytest

from slimderm.components.common.errors import ParameterError, RecordError
from slimderm.flows.record import data_versions
from slimderm.flows.record.s3 import (
    ask_for_credentials,
    bucket_and_prefix,
    check_bucket,
    use_remote,
)


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


def test_missing_credentials_are_asked_for(monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    expected = r"s3://lesions/x: received no credentials, expected AWS_ACCESS_KEY_ID.*`make up`"
    with pytest.raises(RecordError, match=expected):
        check_bucket("s3://lesions/x")
    ask_for_credentials("/a/folder")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tester")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "tester")
    ask_for_credentials("s3://lesions/x")


def test_an_endpoint_without_a_scheme_is_an_error_that_says_so(monkeypatch, credentials):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:8333")
    with pytest.raises(RecordError, match=r"Invalid endpoint: localhost:8333.*http://"):
        check_bucket("s3://lesions")


@pytest.mark.parametrize("url", ["", " ", "s3:/lesions/x", "gs://lesions/x", "lesions:x"])
def test_what_is_neither_an_s3_address_nor_a_folder_is_no_remote(monkeypatch, url):
    monkeypatch.setattr(data_versions, "set_remote", pytest.fail)
    with pytest.raises(ParameterError, match="expected s3://bucket/prefix"):
        use_remote(url)


def test_every_address_on_the_command_line_is_checked(tmp_path):
    command = [sys.executable, "-m", "slimderm", "remote", str(tmp_path), "s3:/artifacts"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "received 's3:/artifacts'" in " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize("url", ["/mnt/versions", "../versions", "versions"])
def test_a_folder_is_a_remote(monkeypatch, url):
    kept = []
    monkeypatch.setattr(data_versions, "set_remote", kept.append)
    use_remote(url)
    assert kept == [url]


def test_a_store_that_does_not_answer_is_named(monkeypatch, credentials):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(RecordError, match="AWS_ENDPOINT_URL"):
        check_bucket("s3://lesions")
