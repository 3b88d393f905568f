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
from packaging.requirements import Requirement

from flows.deployments import HEARTBEAT_SECONDS

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "infra/compose.yaml").read_text()


def example():
    """Variables as infra/example.env has them; a password where it leaves one empty."""
    lines = (ROOT / "infra/example.env").read_text().splitlines()
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {name: value or f"{name}:secret" for name, value in pairs}


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
        "postgres", "s3", "mlflow", "prefect", "worker-cpu", "worker-gpu"
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
    for name in [name for name in example() if re.search("PASSWORD|SECRET|AUTH", name)]:
        assert example()[name] == f"{name}:secret"  # empty in the file
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


def test_workers_give_signs_of_life_as_often_as_the_watch_expects(compose):
    for name in ("worker-cpu", "worker-gpu"):
        given = compose["services"][name]["environment"]["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"]
        assert given == str(HEARTBEAT_SECONDS)


def test_what_is_loaded_is_never_unpickled_and_the_gpu_worker_knows_its_backend(compose):
    services = compose["services"]
    for name in ("mlflow", "worker-cpu", "worker-gpu"):
        assert services[name]["environment"]["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
    text = interpolated(TEXT, {**example(), "KERAS_BACKEND": "jax"})
    services = yaml.safe_load(text)["services"]
    assert services["worker-gpu"]["environment"]["KERAS_BACKEND"] == "jax"
    assert "KERAS_BACKEND" not in services["worker-cpu"]["environment"]  # its image has TensorFlow
    known = services["worker-cpu"]["environment"]
    assert known.items() <= services["worker-gpu"]["environment"].items()


def test_mlflow_answers_at_the_address_that_its_port_is_bound_to():
    services = yaml.safe_load(interpolated(TEXT, {**example(), "BIND": "10.0.0.5"}))["services"]
    hosts = services["mlflow"]["command"][-1].split(",")
    assert hosts == ["mlflow:5000", "localhost:*", "127.0.0.1:*", "10.0.0.5:*"]


def test_a_worker_that_was_killed_while_it_cloned_clones_again(tmp_path):
    for name in ("python", "prefect"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "$PWD: {name} $*"\n')
        (tmp_path / name).chmod(0o755)
    subprocess.run(["git", "init", "-q", tmp_path / "there"], check=True)
    (tmp_path / "there/file").write_text("whole")
    git = ["git", "-C", tmp_path / "there", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "all"], check=True)
    place = tmp_path / "place"
    (place / "draft/.git").mkdir(parents=True)  # what the kill left
    known = {
        "REPOSITORY": str(tmp_path / "there"),
        "DATA_REMOTE": "s3://a/b",
        "ARTIFACTS": "s3://c",
    }
    for _ in range(2):  # the second finds the clone
        done = subprocess.run(
            [ROOT / "infra/worker.sh", "gpu", "--limit", "1"],
            cwd=place,
            env={**os.environ, **known, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert (place / "clone/file").read_text() == "whole"
        first, *_, last = done.stdout.splitlines()
        assert first == f"{place}/clone: python -m flows.store s3://a/b s3://c"
        assert last.startswith(f"{place}/clone: prefect worker start --type process --pool gpu ")


def test_every_volume_and_file_that_is_named_is_there(compose):
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in compose["volumes"]
    for line in (ROOT / "infra/Dockerfile").read_text().splitlines():
        if line.startswith("COPY"):
            for name in line.split()[1:-1]:
                assert list(ROOT.glob(name)), name


def test_the_least_policy_names_only_the_two_prefixes_of_the_example():
    policy = json.loads((ROOT / "infra/s3-policy.json").read_text())
    allowed = {place for entry in policy["Statement"] for place in [entry["Resource"]]
               if isinstance(place, str)}  # fmt: skip
    objects = next(entry for entry in policy["Statement"] if entry["Sid"] == "Objects")["Resource"]
    known = example()
    wanted = {known[name].removeprefix("s3://") for name in ("DATA_REMOTE", "ARTIFACTS")}
    assert {place.removeprefix("arn:aws:s3:::").removesuffix("/*") for place in objects} == wanted
    assert allowed == {"arn:aws:s3:::lesions"}
    listing = next(entry for entry in policy["Statement"] if entry["Action"] == ["s3:ListBucket"])
    assert list(listing["Condition"]) == ["StringLikeIfExists"]  # HeadBucket sends no prefix


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


def pins(path):
    """Package to version, as on this machine."""
    lines = (line.rstrip("\\ ") for line in path.read_text().splitlines() if line[:1].isalnum())
    wanted = [Requirement(line) for line in lines]
    return {
        each.name: str(each.specifier)
        for each in wanted
        if each.marker is None or each.marker.evaluate()
    }


CUDA = sorted((ROOT / "infra").glob("cuda-*.lock"))


@pytest.mark.parametrize("lock", CUDA, ids=lambda path: path.stem)
def test_what_a_gpu_machine_adds_agrees_with_the_locked_environment(lock):
    base, added = pins(ROOT / "requirements.lock"), pins(lock)
    assert [name for name in added if name not in base]
    assert {name: added[name] for name in added if name in base} == {
        name: base[name] for name in added if name in base
    }
    assert f"cuda-{lock.stem.removeprefix('cuda-')}" in (ROOT / "pyproject.toml").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("lock", CUDA, ids=lambda path: path.stem)
def test_both_locks_resolve_together(lock):
    command = [sys.executable, "-m", "uv", "pip", "install", "--dry-run", "--require-hashes"]
    command += ["--python", sys.executable, "-r", lock, "-r", ROOT / "requirements.lock"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "nvidia" in done.stderr
