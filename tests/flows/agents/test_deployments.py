"""Every stage of the table is a deployment of the server; Prefect's own command made them."""

import contextlib
import os
import subprocess
import sys

import httpx
import pytest
import yaml

from slimderm.flows.agents.deployments import deploy, deployments
from slimderm.flows.steps import table
from slimderm.flows.steps.table import STAGES, Stage


def test_a_stage_that_is_added_is_a_deployment(monkeypatch):
    monkeypatch.setitem(table.STAGES, "distil", Stage("distil:distil", "networks", trains=True))
    found = {each["name"]: each for each in deployments()["deployments"]}
    assert found["distil"]["parameters"] == {"name": "distil", "agents": True}
    assert found["distil"]["tags"] == ["networks"]
    assert found["distil"]["entrypoint"] == found["train"]["entrypoint"] == "flows/pipeline.py:step"


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_server_lists_every_stage(make_workspace, free_port, wait_until):
    workspace, port = make_workspace(), free_port()
    api = f"http://127.0.0.1:{port}/api"
    server = [sys.executable, "-m", "prefect", "server", "start", "--port", port]
    with workspace.start(*server, stdout=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: answers(api), 180)
            with contextlib.chdir(workspace.folder):
                deploy({**os.environ, **workspace.environment, "PREFECT_API_URL": api})
            listed = httpx.post(f"{api}/deployments/filter", json={}, timeout=30).json()
        finally:
            process.terminate()
    found = {each["name"]: each for each in listed}
    written = yaml.safe_load((workspace.folder / "prefect.yaml").read_text())["deployments"]
    assert found.keys() == {*STAGES, *(each["name"] for each in written)}
    assert found["split"]["tags"] == ["data"]
    assert found["split"]["parameters"] == {"name": "split"}
    assert found["prune"]["parameters"] == {"name": "prune", "agents": True}
    assert {found[name]["work_queue_name"] for name in ("scheduled", *STAGES)} == {"writer"}
    assert {each["work_pool_name"] for each in listed} == {"cpu", "gpu"}
    (step,) = found["split"]["pull_steps"]
    assert "$SLIMDERM_CLONE" in str(step)


def answers(api):
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{api}/health", timeout=5).is_success
    return False
