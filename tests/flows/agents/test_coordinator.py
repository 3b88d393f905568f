"""A job whose outputs are gone from the remote; Prefect's server is real in the other tests."""

import json
import logging
import re
import subprocess
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from prefect.states import Completed, Scheduled

from slimderm.components.common.errors import RecordError, TransferError
from slimderm.flows.agents import coordinator

ROOT = Path(__file__).parents[3]
STAGE = "train@lenet5"


class Prefect:
    """A server that knows a run by its idempotency key, and a remote that can lose its outputs."""

    def __init__(self):
        self.runs, self.gone, self.ids = {}, set(), count()

    def run_deployment(self, name, *, parameters, timeout, idempotency_key):
        if idempotency_key not in self.runs:
            run = SimpleNamespace(id=next(self.ids), name=STAGE, state=Scheduled())
            self.runs[idempotency_key] = run
        return SimpleNamespace(**vars(self.runs[idempotency_key]))

    def look(self, run_id):
        run = next(run for run in self.runs.values() if run.id == run_id)
        return run, json.dumps([{"stage": STAGE, "entry": {"made by": run_id}}])

    def pull(self, version):
        if version[STAGE]["made by"] in self.gone:
            raise TransferError("not there")

    def complete(self):
        for run in self.runs.values():
            run.state = Completed()


@pytest.fixture
def prefect(tmp_path, monkeypatch):
    server = Prefect()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("{}")
    monkeypatch.setattr(coordinator, "committed", lambda: "0" * 40)
    monkeypatch.setattr(coordinator, "run_deployment", server.run_deployment)
    monkeypatch.setattr(coordinator, "look_up", server.look)
    monkeypatch.setattr(coordinator, "pull", server.pull)
    monkeypatch.setattr(coordinator, "push", lambda stages: None)
    monkeypatch.setattr(coordinator, "get_run_logger", lambda: logging.getLogger("coordinator"))
    monkeypatch.setattr(coordinator.dvc_lock, "inputs_of", lambda stage: {})
    monkeypatch.setattr(coordinator.dvc_lock, "is_stale", lambda stage: False)
    return server


@pytest.mark.parametrize("name", coordinator.CODE)
def test_code_that_differs_from_the_commit_is_refused(name, tmp_path, monkeypatch):
    """Agents run ``python -m slimderm``, so the package counts as ``flows`` does."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / name if Path(name).suffix else tmp_path / name / "a.py"
    file.parent.mkdir(exist_ok=True)
    file.touch()
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "code"]):
        subprocess.run([*git, *command], check=True)
    (tmp_path / "params.yaml").write_text("seed: 1")
    assert len(coordinator.committed()) == 40
    file.write_text("other")
    with pytest.raises(RecordError, match=re.escape(str(file.relative_to(tmp_path)))):
        coordinator.committed()


def test_what_runs_a_stage_is_among_the_code():
    """A stage's command, and every file of code among its dependencies."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values()
    described = [stage.get("do", stage) for stage in stages]
    files = {dep for stage in described for dep in stage["deps"] if dep.endswith(".py")}
    packages = {stage["cmd"].split()[2].partition(".")[0] for stage in described}
    assert {file.partition("/")[0] for file in files} | packages <= {*coordinator.CODE}


def submitted():
    found = coordinator.AgentJobs()
    found.submit(STAGE)
    return found


def test_a_job_that_ended_before_is_taken_up(prefect):
    submitted()
    prefect.complete()
    assert submitted().wait() == [STAGE]
    assert len(prefect.runs) == 1


def test_a_job_whose_outputs_are_gone_is_sent_again_once_and_then_found(prefect, monkeypatch):
    submitted()
    prefect.complete()
    prefect.gone = {0}
    monkeypatch.setattr(coordinator.time, "sleep", lambda seconds: prefect.complete())
    assert submitted().wait() == [STAGE]
    assert len(prefect.runs) == 2
    assert submitted().wait() == [STAGE]
    assert len(prefect.runs) == 2


def test_a_job_that_was_just_done_and_is_not_there_is_an_error(prefect):
    sent = submitted()
    prefect.complete()
    prefect.gone = {0}
    with pytest.raises(TransferError):
        sent.wait()
    assert len(prefect.runs) == 1
