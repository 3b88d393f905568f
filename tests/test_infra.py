"""infra/compose.yaml against the compose specification, and against what the processes are."""

import base64
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml
from compose_spec import PyCompose

from flows.deployments import HEARTBEAT_SECONDS

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "infra/compose.yaml").read_text()
ODD = "p@ss/w:rd%20 #"


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


def services(**values):
    """The services, with values in the place of the example's."""
    return yaml.safe_load(interpolated(TEXT, {**example(), **values}))["services"]


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


def test_every_service_has_a_health_check_and_those_that_others_wait_for_need_it(compose):
    known = compose["services"]
    for name, service in known.items():
        assert service["healthcheck"]["test"][0] == "CMD", name
        for needed, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in known[needed], (name, needed)


def test_no_password_has_a_default_and_ports_are_on_loopback(compose):
    for name in [name for name in example() if re.search("PASSWORD|SECRET|AUTH", name)]:
        assert example()[name] == f"{name}:secret"  # empty in the file
        with pytest.raises(KeyError, match=name):
            interpolated(TEXT, {**example(), name: ""})
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_servers_ask_for_a_password_and_workers_have_it(compose):
    assert "basic-auth" in compose["services"]["mlflow"]["command"]
    assert compose["services"]["prefect"]["environment"]["PREFECT_SERVER_API_AUTH_STRING"]
    for name in ("worker-cpu", "worker-gpu"):
        known = compose["services"][name]["environment"]
        for variable in ("PREFECT_API_AUTH_STRING", "MLFLOW_TRACKING_PASSWORD"):
            assert known[variable], (name, variable)


def test_workers_give_signs_of_life_as_often_as_the_watch_expects(compose):
    for name in ("worker-cpu", "worker-gpu"):
        given = compose["services"][name]["environment"]["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"]
        assert given == str(HEARTBEAT_SECONDS)


def test_what_is_loaded_is_never_unpickled_and_the_gpu_worker_knows_its_backend(compose):
    for name in ("mlflow", "worker-cpu", "worker-gpu"):
        assert (
            compose["services"][name]["environment"]["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"]
            == "false"
        )
    changed = services(KERAS_BACKEND="jax")
    assert changed["worker-gpu"]["environment"]["KERAS_BACKEND"] == "jax"
    assert "KERAS_BACKEND" not in changed["worker-cpu"]["environment"]  # its image has TensorFlow
    known = changed["worker-cpu"]["environment"]
    assert known.items() <= changed["worker-gpu"]["environment"].items()


def test_browsers_and_agents_elsewhere_find_pages_and_store_where_their_ports_are_bound():
    known = services(BIND="10.0.0.5", MLFLOW_PORT="5001", PREFECT_PORT="4201", S3_PORT="8334")
    command = known["mlflow"]["command"]
    hosts = command[command.index("--allowed-hosts") + 1].split(",")
    assert hosts == ["mlflow:5000", "localhost:*", "127.0.0.1:*", "10.0.0.5:*"]
    assert command[command.index("--cors-allowed-origins") + 1] == "http://10.0.0.5:5001"
    for name in ("worker-cpu", "worker-gpu"):
        assert known[name]["environment"]["MLFLOW_PAGE"] == "http://10.0.0.5:5001"
    told = known["prefect"]["environment"]["PREFECT_SERVER_UI_API_URL"]
    assert told == "http://10.0.0.5:4201/api"
    ports = {name: known[name]["ports"] for name in ("mlflow", "prefect", "s3")}
    assert ports == {
        "mlflow": ["10.0.0.5:5001:5000"],
        "prefect": ["10.0.0.5:4201:4200"],
        "s3": ["10.0.0.5:8334:8333"],
    }


def test_the_store_takes_its_keys_from_a_file_and_the_workers_know_them(compose):
    store, known = compose["services"]["s3"], compose["services"]["worker-cpu"]["environment"]
    (place,) = [each["target"] for each in store["configs"] if each["source"] == "s3"]
    assert f"-s3.config={place}" in store["command"]
    (who,) = json.loads(compose["configs"]["s3"]["content"])["identities"]
    assert who["actions"] == ["Admin"]  # it makes the buckets
    (pair,) = who["credentials"]
    assert (pair["accessKey"], pair["secretKey"]) == (
        known["AWS_ACCESS_KEY_ID"],
        known["AWS_SECRET_ACCESS_KEY"],
    )
    assert known["AWS_ENDPOINT_URL"] == "http://s3:8333"


def test_no_address_and_no_command_holds_a_password(compose):
    for name, service in compose["services"].items():
        addresses = (
            [text for text in service["environment"].values() if "://" in text]
            if ("environment" in service)
            else []
        )
        for text in (*addresses, *service.get("command", [])):
            assert "secret" not in text, name


def test_every_volume_and_file_that_is_named_is_there(compose):
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in compose["volumes"]
    for line in (ROOT / "infra/Dockerfile").read_text().splitlines():
        if line.startswith("COPY"):
            for name in line.split()[1:-1]:
                assert list(ROOT.glob(name)), name


def test_the_image_is_built_from_what_it_copies_and_nothing_else():
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    first, *allowed = [rule for rule in rules if rule and not rule.startswith("#")]
    lines = (ROOT / "infra/Dockerfile").read_text().splitlines()
    copied = [name for line in lines if line.startswith("COPY") for name in line.split()[1:-1]]
    assert first == "*"
    assert sorted(allowed) == sorted(f"!{name}" for name in copied)


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


def answer(url, *, user=None, host=None, origin=None):
    """What a server says: status and body; with an origin, to a POST from a page there."""
    request = urllib.request.Request(url)
    if user:
        request.add_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
    if host:
        request.add_header("Host", host)
    if origin:
        request.data = b'{"experiment_ids": ["0"]}'
        request.add_header("Content-Type", "application/json")
        request.add_header("Origin", origin)
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@contextlib.contextmanager
def running(command, folder, environment):
    """Run what a container runs as a process, with its children."""
    known = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(folder)}
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**known, **environment},
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


@contextlib.contextmanager
def serving(service, folder, port, changed):
    """Run a server's own command on this machine, with its environment changed."""
    command = [part if part not in ("5000", "4200") else port for part in service["command"]]
    command[command.index("0.0.0.0")] = "127.0.0.1"
    with running(command, folder, {**service["environment"], **changed}):
        yield f"http://127.0.0.1:{port}"


def healthy(service, inside, port, **environment):
    """Whether a service's own health check passes, with the port that it has on this machine."""
    command = [part.replace(f":{inside}/", f":{port}/") for part in service["healthcheck"]["test"]]
    known = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", **environment}
    done = subprocess.run(command[1:], env=known, check=False, capture_output=True)
    return done.returncode == 0


@pytest.fixture(scope="module")
def database(postgres, secret):
    """A server's way to PostgreSQL here, by a password that an address would have to escape."""
    psql = [postgres.programs / "psql", "-h", "127.0.0.1", "-p", postgres.port, "-U", "slimderm"]
    command = [*psql, "-d", "postgres", "-qc", f"alter role slimderm password '{ODD}'"]
    subprocess.run(command, check=True, env={**os.environ, "PGPASSWORD": secret})

    def here(environment, name):
        address = environment[name].replace("@postgres/", f"@127.0.0.1:{postgres.port}/")
        return {name: address, "PGPASSWORD": ODD}

    return here


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(600)
def test_mlflow_lets_nobody_in_without_a_password_nor_pages_of_other_addresses(
    database, tmp_path, free_port, wait_until
):
    service = services(BIND="10.0.0.5")["mlflow"]
    auth = (ROOT / "mlflow/basic_auth.ini").read_text()
    (tmp_path / "auth.ini").write_text(auth.replace("/auth/", f"{tmp_path}/"))
    port, user = free_port(), "admin:a-long-password"
    own = database(service["environment"], "MLFLOW_BACKEND_STORE_URI") | {
        "MLFLOW_ARTIFACTS_DESTINATION": str(tmp_path / "artifacts"),
        "MLFLOW_AUTH_CONFIG_PATH": str(tmp_path / "auth.ini"),
        "MLFLOW_AUTH_ADMIN_PASSWORD": "a-long-password",
    }
    assert not healthy(service, 5000, port)
    with serving(service, tmp_path, port, own) as address:
        wait_until(lambda: healthy(service, 5000, port), seconds=300)
        page = f"{address}/api/2.0/mlflow/experiments/get?experiment_id=0"
        assert answer(page)[0] == 401
        assert answer(page, user="admin:wrong")[0] == 401
        assert answer(page, user=user)[0] == 200
        # as workers in other containers call it, and browsers at the address of its port
        assert answer(page, user=user, host="mlflow:5000")[0] == 200
        assert answer(page, user=user, host="10.0.0.5:5000")[0] == 200
        assert answer(page, user=user, host="evil.example")[0] == 403
        search = f"{address}/ajax-api/2.0/mlflow/runs/search"
        told = {"user": user, "host": "10.0.0.5:5000"}
        assert answer(search, **told, origin="http://10.0.0.5:5000")[0] == 200
        assert answer(search, **told, origin="http://evil.example")[0] == 403


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(600)
def test_prefect_asks_for_a_password_tells_its_page_where_it_is_and_a_worker_its_health(
    database, tmp_path, free_port, wait_until
):
    known = services(BIND="10.0.0.5", PREFECT_PORT="4201")
    service, worker = known["prefect"], known["worker-gpu"]
    port, health, user = free_port(), free_port(), example()["PREFECT_AUTH"]
    own = database(service["environment"], "PREFECT_SERVER_DATABASE_CONNECTION_URL")
    with serving(service, tmp_path, port, own) as address:
        wait_until(lambda: healthy(service, 4200, port), seconds=300)
        page = f"{address}/api/admin/version"
        assert answer(page)[0] == 401
        assert answer(page, user="admin:wrong")[0] == 401
        assert answer(page, user=user)[0] == 200
        settings = json.loads(answer(f"{address}/ui-settings")[1])
        assert settings["api_url"] == "http://10.0.0.5:4201/api"

        here = worker["environment"] | {
            "REPOSITORY": str(ROOT),
            "DATA_REMOTE": str(tmp_path / "remote"),
            "ARTIFACTS": str(tmp_path / "artifacts"),
            "PREFECT_API_URL": f"{address}/api",
            "PREFECT_WORKER_WEBSERVER_PORT": health,
        }
        (tmp_path / "volume").mkdir()
        assert not healthy(worker, 8080, health)
        command = [ROOT / "infra/worker.sh", *worker["command"][1:]]
        with running(command, tmp_path / "volume", here):
            wait_until(lambda: healthy(worker, 8080, health), seconds=300)
            assert answer(f"{address}/api/work_pools/gpu", user=user)[0] == 200
        assert not healthy(worker, 8080, health)


@pytest.mark.slow
@pytest.mark.integration
def test_postgres_is_not_healthy_while_it_answers_on_its_socket_alone(postgres):
    service = services()["postgres"]
    known = {
        "PATH": f"{postgres.programs}:/usr/bin:/bin",
        "PGHOST": str(postgres.folder),  # where its socket is
        "PGPORT": postgres.port,
    }
    assert healthy(service, 5432, postgres.port, **known)
    postgres.stop()
    command = [postgres.programs / "postgres", "-D", postgres.folder / "data", "-h", ""]
    command += ["-p", postgres.port, "-k", postgres.folder]  # as while its image makes databases
    process = subprocess.Popen(command, cwd=postgres.folder, **postgres.who)
    asked = [postgres.programs / "pg_isready", "--quiet"]
    try:
        deadline = time.monotonic() + 60
        while subprocess.run(asked, env=known, check=False).returncode:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert not healthy(service, 5432, postgres.port, **known)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
        postgres.start()
