"""infra/compose.yaml against the compose specification, and against what the processes are."""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml
from compose_spec import PyCompose

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "infra/compose.yaml").read_text()


def example():
    """Variables as infra/example.env has them; a password where it leaves one empty."""
    lines = (ROOT / "infra/example.env").read_text().splitlines()
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {name: value or "secret" for name, value in pairs}


def interpolated(text, values):
    """Put values in as compose does: ``${A}``, ``${A:-default}``, ``${A:?message}``."""

    def value(match):
        name, sign, rest = match.groups()
        found = values.get(name)
        if not found and sign == ":?":
            raise KeyError(f"{name}: {rest}")
        return found or (rest if sign == ":-" else "")

    return re.sub(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}", value, text)


@pytest.fixture
def compose():
    document = yaml.safe_load(interpolated(TEXT, example()))
    return {name: value for name, value in document.items() if not name.startswith("x-")}


def test_the_file_keeps_to_the_specification(compose):
    parsed = PyCompose.from_yaml(yaml.safe_dump(compose))
    assert set(parsed.service_names()) == {
        "postgres", "s3", "bucket", "mlflow", "prefect", "worker-cpu", "worker-gpu"
    }  # fmt: skip


def test_the_check_notices_what_the_specification_does_not_know(compose):
    compose["services"]["mlflow"]["healthchek"] = {}
    with pytest.raises(ValueError, match="healthchek"):
        PyCompose.from_yaml(yaml.safe_dump(compose))


def test_every_service_that_stays_has_a_health_check_or_waits_for_those_that_have(compose):
    services = compose["services"]
    for name, service in services.items():
        if name in ("postgres", "s3", "mlflow", "prefect"):
            assert service["healthcheck"]["test"], name
        for needed, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[needed], (name, needed)


def test_no_password_has_a_default_and_ports_are_on_loopback(compose):
    secrets = [
        name
        for name in example()
        if re.search("PASSWORD|SECRET|AUTH", name) and name != "PREFECT_AUTH"
    ]
    for name in [*secrets, "PREFECT_AUTH"]:
        with pytest.raises(KeyError, match=name):
            interpolated(TEXT, {**example(), name: ""})
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_servers_ask_for_a_password_and_workers_have_it(compose):
    services = compose["services"]
    assert "basic-auth" in services["mlflow"]["command"]
    assert services["prefect"]["environment"]["PREFECT_SERVER_API_AUTH_STRING"]
    for name in ("worker-cpu", "worker-gpu"):
        known = services[name]["environment"]
        for variable in ("PREFECT_API_AUTH_STRING", "MLFLOW_TRACKING_PASSWORD"):
            assert known[variable], (name, variable)


def test_every_volume_and_file_that_is_named_is_there(compose):
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in compose["volumes"]
    for line in (ROOT / "infra/Dockerfile").read_text().splitlines():
        if line.startswith("COPY"):
            for name in line.split()[1:-1]:
                assert (ROOT / name).exists(), name


def test_the_least_policy_names_only_the_two_prefixes_of_the_example():
    policy = json.loads((ROOT / "infra/s3-policy.json").read_text())
    allowed = {place for entry in policy["Statement"] for place in [entry["Resource"]]
               if isinstance(place, str)}  # fmt: skip
    objects = next(entry for entry in policy["Statement"] if entry["Sid"] == "Objects")["Resource"]
    known = example()
    wanted = {known[name].removeprefix("s3://") for name in ("DATA_REMOTE", "ARTIFACTS")}
    assert {place.removeprefix("arn:aws:s3:::").removesuffix("/*") for place in objects} == wanted
    assert allowed == {"arn:aws:s3:::lesions"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def status(url, *, user=None, host=None):
    """What a server answers: its status code."""
    request = urllib.request.Request(url)
    if user:
        request.add_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
    if host:
        request.add_header("Host", host)
    try:
        return urllib.request.urlopen(request, timeout=10).status
    except urllib.error.HTTPError as error:
        return error.code


def started(service, folder, changed, health):
    """Run a service's own command on this machine, with its environment changed."""
    port = free_port()
    command = [part if part not in ("5000", "4200") else port for part in service["command"]]
    command[command.index("0.0.0.0")] = "127.0.0.1"
    known = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(folder)}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**known, **service["environment"], **changed},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    for _ in range(600):
        try:
            if status(f"{address}{health}") == 200:
                break
        except OSError:
            assert process.poll() is None
        time.sleep(0.2)
    return process, address


@pytest.mark.slow
@pytest.mark.integration
def test_the_servers_of_the_file_let_nobody_in_without_a_password(compose, tmp_path):
    auth = (ROOT / "mlflow/basic_auth.ini").read_text()
    (tmp_path / "auth.ini").write_text(auth.replace("/auth/", f"{tmp_path}/"))
    own = {
        "mlflow": {
            "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{tmp_path}/mlflow.db",
            "MLFLOW_ARTIFACTS_DESTINATION": str(tmp_path / "artifacts"),
            "MLFLOW_AUTH_CONFIG_PATH": str(tmp_path / "auth.ini"),
            "MLFLOW_AUTH_ADMIN_PASSWORD": "a-long-password",
        },
        "prefect": {},
    }
    del compose["services"]["prefect"]["environment"]["PREFECT_SERVER_DATABASE_CONNECTION_URL"]
    asked = {
        "mlflow": ("/health", "/api/2.0/mlflow/experiments/get?experiment_id=0"),
        "prefect": ("/api/health", "/api/admin/version"),
    }
    users = {"mlflow": "admin:a-long-password", "prefect": example()["PREFECT_AUTH"]}
    for name, (health, page) in asked.items():
        process, address = started(compose["services"][name], tmp_path, own[name], health)
        try:
            assert status(f"{address}{page}") == 401
            assert status(f"{address}{page}", user="admin:wrong") == 401
            assert status(f"{address}{page}", user=users[name]) == 200
            if name == "mlflow":  # as workers in other containers call it
                assert status(f"{address}{page}", user=users[name], host="mlflow:5000") == 200
                assert status(f"{address}{page}", user=users[name], host="evil.example") == 403
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
