"""The services of infra/compose.yaml as processes: their own commands, variables and checks."""

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ODD = "p@ss/w:rd%20 #"


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


JOB = """
import time
from pathlib import Path
from prefect import flow

@flow
def job(folder: str):
    Path(folder, "began").touch()
    time.sleep(15)
"""
SUBMIT = """
import sys
from prefect import flow
from prefect.deployments import run_deployment

found = flow.from_source(source=sys.argv[1], entrypoint="job.py:job")
found.deploy(name="job", work_pool_name="gpu", print_next_steps=False, ignore_warnings=True)
print(run_deployment("job/job", parameters={"folder": sys.argv[1]}, timeout=0).id)
"""


def submit(folder, environment):
    """Send a job of fifteen seconds to the pool gpu; return its id."""
    (folder / "job.py").write_text(JOB)
    known = {"PATH": "/usr/bin:/bin", "HOME": str(folder), **environment}
    command = [sys.executable, "-W", "ignore", "-c", SUBMIT, str(folder)]
    done = subprocess.run(command, env=known, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


def state_of(address, job, user):
    return json.loads(answer(f"{address}/api/flow_runs/{job}", user=user)[1])["state_type"]


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
        with contextlib.suppress(ProcessLookupError):  # it was stopped
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


@contextlib.contextmanager
def serving(service, folder, port, changed, secrets):
    """Run a server's own command on this machine, with its environment and secrets changed."""
    mounted = folder / "secrets"
    mounted.mkdir()
    for name, value in secrets.items():
        (mounted / name).write_text(value + "\n")
    command = [part if part not in ("5000", "4200") else port for part in service["command"]]
    command[command.index("0.0.0.0")] = "127.0.0.1"
    known = {**service["environment"], **changed, "SECRETS": str(mounted)}
    with running([ROOT / "infra/with_secrets.sh", *command], folder, known):
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
        return {name: address}

    return here


ADMIN = "admin:a-long-password"


@pytest.fixture(scope="module")
def mlflow_server(services, known_to, database, tmp_path_factory, free_port, wait_until):
    """MLflow's server of the file, bound to 10.0.0.5 as far as it knows; gives its address."""
    service, folder = services(BIND="10.0.0.5")["mlflow"], tmp_path_factory.mktemp("mlflow")
    auth = (ROOT / "mlflow/basic_auth.ini").read_text()
    (folder / "auth.ini").write_text(auth.replace("/auth/", f"{folder}/"))
    own = database(service["environment"], "MLFLOW_BACKEND_STORE_URI") | {
        "MLFLOW_ARTIFACTS_DESTINATION": str(folder / "artifacts"),
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
    }
    secrets = known_to(service) | {
        "PGPASSWORD": ODD,
        "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN.split(":")[1],
    }
    port = free_port()
    assert not healthy(service, 5000, port)
    with serving(service, folder, port, own, secrets) as address:
        wait_until(lambda: healthy(service, 5000, port), seconds=300)
        yield address


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(600)
def test_mlflow_lets_nobody_in_without_a_password_nor_pages_of_other_addresses(mlflow_server):
    page = f"{mlflow_server}/api/2.0/mlflow/experiments/get?experiment_id=0"
    assert answer(page)[0] == 401
    assert answer(page, user="admin:wrong")[0] == 401
    assert answer(page, user=ADMIN)[0] == 200
    # as workers in other containers call it, and browsers at the address of its port
    assert answer(page, user=ADMIN, host="mlflow:5000")[0] == 200
    assert answer(page, user=ADMIN, host="10.0.0.5:5000")[0] == 200
    assert answer(page, user=ADMIN, host="evil.example")[0] == 403
    search = f"{mlflow_server}/ajax-api/2.0/mlflow/runs/search"
    told = {"user": ADMIN, "host": "10.0.0.5:5000"}
    assert answer(search, **told, origin="http://10.0.0.5:5000")[0] == 200
    assert answer(search, **told, origin="http://evil.example")[0] == 403


RECORD = """
from slimderm.flows.config.params import read_params
from slimderm.flows.record.registry import Registry
from slimderm.flows.record.mlflow_store import Tracker

tracker = Tracker(read_params().record)
registry, client = Registry(tracker), tracker.client
known = registry.versions(), registry.aliased("champion"), registry.promotions.all()
assert known == ([], None, [])
run = client.create_run(tracker.experiment_id)
client.log_dict(run.info.run_id, {}, "model/table.json")
client.set_terminated(run.info.run_id)
client.create_registered_model(registry.name)
client.create_model_version(registry.name, f"{run.info.artifact_uri}/model", run.info.run_id)
registry.promotions.promote(registry.version("1"), "half the size")
print(registry.aliased("champion").run_id == run.info.run_id, registry.promotions.all()[0]["why"])
"""


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(600)
def test_workers_record_as_a_user_of_their_own_who_sees_nothing_else(
    services, known_to, mlflow_server
):
    known = services()
    make = (
        known["mlflow-user"]["environment"]
        | known_to(known["mlflow-user"])
        | {
            "MLFLOW_TRACKING_URI": mlflow_server,
            "MLFLOW_TRACKING_PASSWORD": ADMIN.split(":")[1],
        }
    )

    def made(**changed):
        command = [sys.executable, ROOT / "infra/mlflow_user.py"]
        done = subprocess.run(
            command, env={**make, **changed}, capture_output=True, text=True, check=False
        )
        said = done.stdout + done.stderr
        assert not [value for name, value in make.items() if "PASSWORD" in name and value in said]
        return done.returncode, said

    assert made() == made() == (0, "mlflow: worker may record\n")
    status, said = made(MLFLOW_WORKER_PASSWORD="another")
    assert status == 1
    assert "received 'worker'" in said
    own = known["worker-cpu"]["environment"] | known_to(known["worker-cpu"])
    worker = {name: value for name, value in own.items() if name.startswith("MLFLOW_TRACKING")} | {
        "MLFLOW_TRACKING_URI": mlflow_server,
        "PREFECT__FLOW_RUN_ID": "of a deployment",
    }
    command = [sys.executable, "-W", "ignore", "-c", RECORD]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | worker, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1:] == ["True half the size"], done.stderr
    user = f"worker:{worker['MLFLOW_TRACKING_PASSWORD']}"
    api = f"{mlflow_server}/api/2.0/mlflow"
    assert answer(f"{api}/experiments/get?experiment_id=0", user=user)[0] == 403
    assert answer(f"{api}/users/get?username=admin", user=user)[0] == 403
    alias = f"{api}/registered-models/alias?name=slimderm&alias=champion"
    assert answer(alias, user=ADMIN)[0] == 200


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(600)
def test_prefect_asks_for_a_password_and_a_worker_tells_its_health_and_ends_its_job_when_stopped(
    services, known_to, database, tmp_path, free_port, wait_until
):
    known = services(BIND="10.0.0.5", PREFECT_PORT="4201")
    service, worker = known["prefect"], known["worker-gpu"]
    port, health, user = free_port(), free_port(), known_to(worker)["PREFECT_API_AUTH_STRING"]
    own = database(service["environment"], "PREFECT_SERVER_DATABASE_CONNECTION_URL")
    secrets = known_to(service) | {"PGPASSWORD": ODD}
    with serving(service, tmp_path, port, own, secrets) as address:
        wait_until(lambda: healthy(service, 4200, port), seconds=300)
        page = f"{address}/api/admin/version"
        assert answer(page)[0] == 401
        assert answer(page, user="admin:wrong")[0] == 401
        assert answer(page, user=user)[0] == 200
        settings = json.loads(answer(f"{address}/ui-settings")[1])
        assert settings["api_url"] == "http://10.0.0.5:4201/api"

        here = (
            worker["environment"]
            | known_to(worker)
            | {
                "REPOSITORY": str(ROOT),
                "DATA_REMOTE": str(tmp_path / "remote"),
                "ARTIFACTS": str(tmp_path / "artifacts"),
                "PREFECT_API_URL": f"{address}/api",
                "PREFECT_WORKER_WEBSERVER_PORT": health,
            }
        )
        (tmp_path / "volume").mkdir()
        assert not healthy(worker, 8080, health)
        command = [part.replace("/opt/", f"{ROOT}/infra/") for part in worker["command"]]
        with running(command, tmp_path / "volume", here) as process:
            wait_until(lambda: healthy(worker, 8080, health), seconds=300)
            assert answer(f"{address}/api/work_pools/gpu", user=user)[0] == 200
            job = submit(tmp_path, here)
            wait_until((tmp_path / "began").exists, seconds=120)
            process.send_signal(signal.SIGTERM)  # as `docker compose stop`, to its first process
            assert process.wait(180) == 0
            assert state_of(address, job, user) == "COMPLETED"
        assert not healthy(worker, 8080, health)


@pytest.mark.slow
@pytest.mark.integration
def test_postgres_is_not_healthy_while_it_answers_on_its_socket_alone(services, postgres):
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
