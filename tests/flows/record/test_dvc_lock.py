"""The record on a repository of one stage: what killed processes leave, and what DVC refuses."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from slimderm.components.common.errors import RecordError
from slimderm.flows.record import dvc_lock
from slimderm.flows.record.dvc_repository import writing
from slimderm.flows.scheduling import run_in_order

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


def run(stage):
    """Make the stage's output."""
    assert stage == "make"
    Path("out").write_text("1\n")


def reproduce(run):
    """Run what is stale in this process, as `slimderm run` does; return what ran."""

    def here(stage):
        with dvc_lock.made(stage):
            run(stage)

    with writing():
        return [stage for stage, _ in run_in_order(dvc_lock.stages(), here)]


def hold(pid, age=0.0):
    """Leave the list of locks of a process that was making the output so many seconds ago."""
    holder = {"pid": pid, "cmd": "dvc repro"}
    RWLOCK.write_text(
        json.dumps({"write": {str(Path("out").resolve()): holder}, "read": {"other": [holder]}})
    )
    os.utime(RWLOCK, (time.time() - age,) * 2)


def test_what_is_stale_runs_once():
    assert reproduce(run) == ["make"]
    assert reproduce(run) == []
    assert subprocess.run(["dvc", "status", "-q"], check=False).returncode == 0  # DVC agrees
    Path("out").unlink()
    assert reproduce(run) == ["make"]


def test_the_entry_is_the_one_that_dvc_writes():
    Path("params.yaml").write_text("train: {epochs: 2, rates: [0.1, 0.2]}\nseed: 3")
    Path("source").mkdir()
    Path("source/é.txt").write_text("1")
    Path("own.py").write_text("1")
    Path("dvc.yaml").write_text(
        "stages: {make: {cmd: mkdir out && echo 1 > out/a, params: [train, seed], "
        "deps: [source, own.py], outs: [out]}}"
    )
    subprocess.run(["dvc", "repro", "-q"], check=True)
    expected = dvc_lock.entries()
    Path("dvc.lock").unlink()
    with dvc_lock.made("make"):
        pass
    assert dvc_lock.entries() == expected
    assert subprocess.run(["dvc", "status", "-q"], check=False).returncode == 0


def test_what_dvc_made_is_not_made_again():
    subprocess.run(["dvc", "repro", "-q"], check=True)
    assert reproduce(run) == []


def test_a_zombie_holds_nothing(process):
    hold(process.pid)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and not waited for
    reproduce(run)
    assert Path("out").read_text() == "1\n"
    assert json.loads(RWLOCK.read_text())["read"] == {"other": []}


def test_a_number_taken_by_another_process_holds_nothing(process):
    hold(process.pid, age=60)
    reproduce(run)
    assert Path("out").exists()


def test_a_half_written_list_holds_nothing():
    RWLOCK.write_text('{"write": {"')
    reproduce(run)
    assert Path("out").exists()


def test_a_living_process_holds_its_outputs(process):
    hold(process.pid)
    with pytest.raises(RecordError, match=f"PID {process.pid}"):
        reproduce(run)
    assert not Path("out").exists()


def test_dvc_keeps_its_hands_off_what_is_being_made():
    def ask_dvc(stage):
        repro = subprocess.run(["dvc", "repro"], check=False, capture_output=True, text=True)
        assert repro.returncode
        assert f"(PID {os.getpid()})" in repro.stderr
        run(stage)

    assert reproduce(ask_dvc) == ["make"]
    assert not any(json.loads(RWLOCK.read_text()).values())  # and held no longer


def test_a_stage_that_fails_holds_nothing_and_stays_stale():
    def fail(stage):
        raise OSError(stage)

    with pytest.raises(OSError, match="make"):
        reproduce(fail)
    assert dvc_lock.is_stale("make")
    assert reproduce(run) == ["make"]
