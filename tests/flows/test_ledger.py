"""The record on a repository of one stage: what killed processes leave, and what DVC refuses."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from components.errors import RecordError
from flows import ledger

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # as DVC reads it

RWLOCK = Path(".dvc/tmp/rwlock")


@pytest.fixture(autouse=True)
def repository(tmp_path, monkeypatch):
    from dvc.repo import Repo

    monkeypatch.chdir(tmp_path)
    Repo.init(no_scm=True).close()
    Path("dvc.yaml").write_text("stages: {make: {cmd: echo 1 > out, outs: [out]}}")


@pytest.fixture
def process():
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def hold(pid, age=0.0):
    """Leave the list of locks of a process that was making the output so many seconds ago."""
    holder = {"pid": pid, "cmd": "dvc repro"}
    RWLOCK.write_text(
        json.dumps({"write": {str(Path("out").resolve()): holder}, "read": {"other": [holder]}})
    )
    os.utime(RWLOCK, (time.time() - age,) * 2)


def test_what_is_stale_runs_once():
    ledger.reproduce()
    made = Path("out").stat().st_mtime_ns
    assert not ledger.is_stale("make")
    ledger.reproduce()
    assert Path("out").stat().st_mtime_ns == made


def test_a_zombie_holds_nothing(process):
    hold(process.pid)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and not waited for
    ledger.reproduce()
    assert Path("out").read_text() == "1\n"
    assert json.loads(RWLOCK.read_text())["read"] == {"other": []}


def test_a_number_taken_by_another_process_holds_nothing(process):
    hold(process.pid, age=60)
    ledger.reproduce()
    assert Path("out").exists()


def test_a_half_written_list_holds_nothing():
    RWLOCK.write_text('{"write": {"')
    ledger.reproduce()
    assert Path("out").exists()


def test_a_living_process_holds_its_outputs(process):
    hold(process.pid)
    with pytest.raises(RecordError, match=f"PID {process.pid}"):
        ledger.reproduce()
    assert not Path("out").exists()


def test_a_failed_stage_is_named_with_how_it_ended():
    Path("dvc.yaml").write_text("stages: {fail: {cmd: kill -9 $$, outs: [out]}}")
    with pytest.raises(RecordError, match=r"'fail': .* exited with"):
        ledger.reproduce()
