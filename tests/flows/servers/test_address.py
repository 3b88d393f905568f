"""`make up` at another address than localhost: pages and agents there can use what it starts."""

import json
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from slimderm.components.common.errors import SlimDermError
from slimderm.flows.servers import local as servers

PAGE = Path(__file__).parents[3] / "docs/second-machine.md"
HERE = "127.0.0.2"  # loopback, too, but not localhost to MLflow


def answer(url, *, origin=None, host=None):
    """What a server says to a browser: status and body; with an origin, to a page's POST."""
    request = urllib.request.Request(url)
    if origin:
        request.data = json.dumps({"experiment_ids": ["0"]}).encode()
        request.add_header("Origin", origin)
        request.add_header("Content-Type", "application/json")
    if host:
        request.add_header("Host", host)
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(600)
def test_both_pages_work_at_the_address_that_the_servers_were_given(make_workspace, free_port):
    (command,) = re.findall(r"`(SERVERS_HOST=\S+ make up)`", PAGE.read_text())
    workspace = make_workspace()
    ports = {"MLFLOW_PORT": free_port(), "PREFECT_PORT": free_port()}
    workspace.environment |= ports | {"SERVERS_HOST": HERE}
    try:
        said = workspace.run("bash", "-c", re.sub(r"(?<==)\S+", HERE, command)).stdout
        mlflow, api = re.search(r"MLFLOW_TRACKING_URI=(\S+) PREFECT_API_URL=(\S+)", said).groups()
        assert mlflow == f"http://{HERE}:{ports['MLFLOW_PORT']}"
        search = f"{mlflow}/ajax-api/2.0/mlflow/runs/search"
        assert answer(search, origin=mlflow)[0] == 200
        assert answer(search, origin="http://evil.example")[0] == 403
        assert answer(f"{mlflow}/", host="evil.example")[0] == 403
        status, settings = answer(f"{api.removesuffix('/api')}/ui-settings")
        assert (status, json.loads(settings)["api_url"]) == (200, api)
        assert api == f"http://{HERE}:{ports['PREFECT_PORT']}/api"
    finally:
        stopped = workspace.run("make", "down").stdout
    assert stopped.count(": stopped") == 4
    with pytest.raises(OSError):
        answer(f"{mlflow}/health")


def test_a_host_name_is_told_to_mlflow_with_the_port_and_loopback_needs_nothing(monkeypatch):
    assert not [part for part in servers.servers()[0].command if "origin" in part]
    monkeypatch.setattr(servers, "HOST", "gpu.example.org")
    monkeypatch.setattr(servers, "MLFLOW", "http://gpu.example.org:5000")
    command = servers.servers()[0].command
    assert "gpu.example.org:*" in command[command.index("--allowed-hosts") + 1].split(",")
    assert command[command.index("--cors-allowed-origins") + 1] == "http://gpu.example.org:5000"


def test_an_address_that_leads_nowhere_from_elsewhere_is_refused(monkeypatch):
    monkeypatch.setattr(servers, "HOST", "0.0.0.0")
    with pytest.raises(SlimDermError, match=r"received 0\.0\.0\.0, expected one address"):
        servers.up()
