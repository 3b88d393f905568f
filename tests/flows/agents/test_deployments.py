"""Every stage is a deployment of the server, which tells people of what fails."""

import contextlib
import http.server
import json
import os
import re
import subprocess
import sys
import threading

import httpx
import pytest
import yaml

from slimderm.flows.agents.automations import FAILED, LATE, WATCH
from slimderm.flows.agents.deployments import deploy, deployments
from slimderm.flows.steps import table
from slimderm.flows.steps.table import STAGES, Stage


def test_a_stage_that_is_added_is_a_deployment(monkeypatch):
    monkeypatch.setitem(table.STAGES, "distil", Stage("distil:distil", "networks", trains=True))
    found = {each["name"]: each for each in deployments()["deployments"]}
    assert found["distil"]["parameters"] == found["train"]["parameters"] == {"agents": True}
    assert found["distil"]["tags"] == ["networks"]
    assert found["distil"]["entrypoint"] == "flows/pipeline.py:step_distil"


@pytest.fixture(scope="module")
def server(make_workspace, free_port, wait_until):
    """A clone and its Prefect server, to which it has deployed twice."""
    workspace, port = make_workspace(), free_port()
    api = f"http://127.0.0.1:{port}/api"
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", port]
    workspace.environment["PREFECT_API_URL"] = api
    with workspace.start(*command, stdout=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: answers(api), 180)
            for _ in range(2):
                with contextlib.chdir(workspace.folder):
                    deploy({**os.environ, **workspace.environment})
            yield workspace
        finally:
            process.terminate()


def automations(workspace):
    found = workspace.ask("/automations/filter", {})
    assert sorted(each["name"] for each in found) == sorted([WATCH, FAILED, LATE])
    return {each["name"]: each for each in found}


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_server_lists_every_stage(server):
    found = {each["name"]: each for each in server.ask("/deployments/filter", {})}
    written = yaml.safe_load((server.folder / "prefect.yaml").read_text())["deployments"]
    assert found.keys() == {*STAGES, *(each["name"] for each in written)}
    assert found["split"]["tags"] == ["data"]
    assert found["split"]["parameters"] == {}
    assert list(found["split"]["parameter_openapi_schema"]["properties"]) == ["split"]
    assert found["prune"]["parameters"] == {"agents": True}
    form = found["scheduled"]["parameter_openapi_schema"]["properties"]
    assert "taylor" in form["criterion"]["enum"]
    assert form["criterion"]["description"].startswith("Which channels go first")
    assert {found[name]["work_queue_name"] for name in ("scheduled", *STAGES)} == {"writer"}
    assert {each["work_pool_name"] for each in found.values()} == {"cpu", "gpu"}
    (step,) = found["split"]["pull_steps"]
    assert "$SLIMDERM_CLONE" in str(step)


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_server_tells_of_failures_once_it_has_an_address(server, wait_until):
    known = automations(server)
    assert {name: each["enabled"] for name, each in known.items()} == {
        WATCH: True,
        FAILED: False,
        LATE: False,
    }
    server.follow("prefect.md", "$", 1, 2)
    assert all(each["enabled"] for each in automations(server).values())
    told, receiver = [], receive()
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    receiver.told = told
    address = f"json://127.0.0.1:{receiver.server_port}/"
    server.run(sys.executable, "-m", "slimderm", "automations", "--notify", address)
    assert all(each["enabled"] for each in automations(server).values())
    server.run(sys.executable, "-m", "slimderm", "automations")  # as the next `make up` does
    again = automations(server)
    assert all(each["enabled"] for each in again.values())
    assert {each["id"] for each in again.values()} == {each["id"] for each in known.values()}
    late = {"type": "SCHEDULED", "name": "Late"}
    failed = {"type": "FAILED", "name": "Failed", "message": "no room"}
    deployment = server.ask("/deployments/name/step/split")["id"]
    run = server.ask(f"/deployments/{deployment}/create_flow_run", {"name": "of today"})["id"]
    for state, said in ((late, "prefect.flow-run.Late"), (failed, "no room")):
        server.ask(f"/flow_runs/{run}/set_state", {"state": state, "force": True})
        wait_until(lambda said=said: any(said in each["message"] for each in told), 60)
    receiver.shutdown()
    receiver.server_close()
    assert {each["title"] for each in told} >= {"SlimDerm: of today"}


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_is_started_with_values_of_its_own(server):
    (said,) = server.follow("prefect.md", "$", 0, 1)
    made = re.search(r"UUID: (\S+)", said)[1]
    run = server.ask(f"/flow_runs/{made}")
    given = {"criterion": "l1", "init": "inherit", "epochs": 2}
    assert run["parameters"] == {"agents": True} | given


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_address_that_is_none_is_refused_and_not_repeated(server):
    command = [sys.executable, "-m", "slimderm", "automations", "--notify", "https://a:hidden@b/c"]
    done = server.run(*command, check=False)
    assert done.returncode == 1
    assert "notify: received https:..., expected an address that Apprise" in done.stdout
    assert "hidden" not in done.stdout + done.stderr


class Receiver(http.server.BaseHTTPRequestHandler):
    """Notes what it is sent."""

    def do_POST(self):
        length = int(self.headers["content-length"])
        self.server.told.append(json.loads(self.rfile.read(length)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def receive():
    return http.server.HTTPServer(("127.0.0.1", 0), Receiver)


def answers(api):
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{api}/health", timeout=5).is_success
    return False
