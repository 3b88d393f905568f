"""Data versions that do not arrive: what is worth another try, and what is at fault for good."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from slimderm.components.common.errors import RecordError, TransferError
from slimderm.flows.record import data_versions, dvc_lock

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # as DVC reads it


@pytest.fixture(autouse=True)
def repository(tmp_path, monkeypatch):
    """A repository of one stage, up to date, whose remote is a folder beside it."""
    from dvc.repo import Repo

    (tmp_path / "clone").mkdir()
    monkeypatch.chdir(tmp_path / "clone")
    Repo.init(no_scm=True).close()
    stages = {"make": {"cmd": "echo 1 > out", "outs": ["out"]}}
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    subprocess.run(["dvc", "repro", "-q"], check=True)
    data_versions.set_remote(str(tmp_path / "remote"))


def test_what_was_sent_is_adopted_elsewhere(tmp_path):
    data_versions.push(["make"])
    made = dvc_lock.inputs_of("make") | {"make": dvc_lock.entry_of("make")}
    shutil.rmtree(".dvc/cache")
    Path("out").unlink()
    Path("dvc.lock").unlink()
    data_versions.adopt(made)
    assert Path("out").read_text() == "1\n"
    assert dvc_lock.entries() == made


def test_what_the_remote_lacks_or_a_remote_that_does_not_take_it_is_worth_another_try(tmp_path):
    made = {"make": dvc_lock.entry_of("make")}
    shutil.rmtree(".dvc/cache")
    Path("dvc.lock").unlink()
    Path("out").unlink()
    with pytest.raises(TransferError, match="could not be fetched from the remote"):
        data_versions.adopt(made)
    assert dvc_lock.entries() == {}
    (tmp_path / "remote").write_text("a file where a folder should be")
    subprocess.run(["dvc", "repro", "-q"], check=True)
    with pytest.raises(TransferError, match="could not be sent to the remote"):
        data_versions.push(["make"])


def test_a_store_that_is_away_is_worth_another_try(monkeypatch):
    made = {"make": dvc_lock.entry_of("make")}
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "tester",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    data_versions.set_remote("s3://lesions/versions")
    with pytest.raises(TransferError, match="could not be sent to the remote"):
        data_versions.push(["make"])
    shutil.rmtree(".dvc/cache")
    with pytest.raises(TransferError, match="could not be fetched from the remote"):
        data_versions.adopt(made)
    assert dvc_lock.entries() == made
    assert data_versions.cached_file("0" * 32) is None


def test_a_remote_or_a_stage_that_does_not_exist_is_not():
    made = {"make": dvc_lock.entry_of("make")}
    with pytest.raises(RecordError, match="were not sent to the remote: 'nothing' does not exist"):
        data_versions.push(["nothing"])
    Path(".dvc/config.local").unlink()
    with pytest.raises(RecordError, match=r"were not sent to the remote: .*no remote specified"):
        data_versions.push(["make"])
    before = dvc_lock.entries()
    shutil.rmtree(".dvc/cache")
    with pytest.raises(RecordError, match="were not fetched from the remote: 'other' does not"):
        data_versions.adopt(made | {"other": made["make"]})
    assert dvc_lock.entries() == before
