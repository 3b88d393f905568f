"""Data versions go to an S3 store and come back from it, by one setting."""

import shutil

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(600)]


def test_one_setting_moves_data_versions_to_s3(made_workspace, endpoint):
    workspace = made_workspace()
    workspace.environment |= {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "tester",
        "AWS_SECRET_ACCESS_KEY": "a-planted-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    workspace.run("python", "-m", "slimderm", "remote", "s3://lesions/versions")
    workspace.run("dvc", "push", "-q", "ingest")
    raw = workspace.folder / "data/raw"
    before = {path.name: path.read_bytes() for path in raw.rglob("*.*")}
    shutil.rmtree(raw)
    shutil.rmtree(workspace.folder / ".dvc/cache")
    workspace.run("dvc", "pull", "-q", "ingest")
    assert {path.name: path.read_bytes() for path in raw.rglob("*.*")} == before
    assert not (workspace.folder / "dvc-remote").exists()
    config = (workspace.folder / ".dvc/config.local").read_text()
    assert "s3://lesions/versions" in config
    assert "a-planted-secret" not in config


def test_a_store_that_does_not_answer_changes_nothing(make_workspace):
    workspace = make_workspace()
    workspace.environment |= {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "tester",
        "AWS_SECRET_ACCESS_KEY": "tester",
        "AWS_MAX_ATTEMPTS": "1",
    }
    done = workspace.run("python", "-m", "slimderm", "remote", "s3://lesions/versions", check=False)
    assert done.returncode == 1
    assert "AWS_ENDPOINT_URL" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert not (workspace.folder / ".dvc/config.local").exists()
