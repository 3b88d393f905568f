"""A backup of the servers as they run together: PostgreSQL, an S3 store, MLflow, Prefect."""

import base64
import contextlib
import json
import os
import signal
import subprocess
import urllib.request

import boto3
import pytest
from sqlalchemy.engine import make_url

from slimderm.components.common.errors import RecordError
from slimderm.flows.servers.backup.postgres import Postgres

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(900)]

FILL = """
import mlflow
client = mlflow.MlflowClient()
run = client.create_run(client.create_experiment("slimderm"))
client.log_metric(run.info.run_id, "accuracy", 0.84)
client.log_text(run.info.run_id, "weights", "model/model.txt")
client.create_registered_model("slimderm")
client.create_model_version("slimderm", f"{run.info.artifact_uri}/model", run.info.run_id)
client.set_registered_model_alias("slimderm", "champion", "1")
"""
READ = """
import json, mlflow
client = mlflow.MlflowClient()
version = client.get_model_version_by_alias("slimderm", "champion")
run = client.get_run(version.run_id)
path = mlflow.artifacts.download_artifacts(run_id=version.run_id, artifact_path="model/model.txt")
print(json.dumps([version.version, run.data.metrics, open(path).read()]))
"""


@pytest.fixture(scope="module")
def clone(make_workspace, tiny, postgres, store, secret, free_port):
    """A clone whose environment names both databases, the bucket and MLflow's users."""
    workspace = make_workspace(tiny)
    settings = workspace.folder.parent / "auth.ini"
    text = (workspace.folder / "mlflow/basic_auth.ini").read_text()
    settings.write_text(text.replace("/auth/", f"{workspace.folder.parent}/"))
    ports = free_port(), free_port()
    workspace.environment |= {
        **postgres.environment(),
        **store.environment(),
        "MLFLOW_AUTH_CONFIG_PATH": str(settings),
        "MLFLOW_AUTH_ADMIN_USERNAME": "ada",
        "MLFLOW_AUTH_ADMIN_PASSWORD": secret,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secret,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{ports[0]}",
        "MLFLOW_TRACKING_USERNAME": "ada",
        "MLFLOW_TRACKING_PASSWORD": secret,
        "PREFECT_API_URL": f"http://127.0.0.1:{ports[1]}/api",
    }
    return workspace


@pytest.fixture(scope="module")
def serving(clone, wait_until):
    """Gives a block in which both servers run."""
    known = clone.environment

    def answers(url):
        with urllib.request.urlopen(url, timeout=5) as reply:
            return reply.status == 200

    @contextlib.contextmanager
    def run():
        port = known["MLFLOW_TRACKING_URI"].rsplit(":", 1)[1]
        mlflow = ("mlflow", "server", "--app-name", "basic-auth", "--workers", "1", "--port", port)
        port = known["PREFECT_API_URL"].split(":")[2].split("/")[0]
        commands = [mlflow, ("prefect", "server", "start", "--port", port)]
        with (clone.folder.parent / "said").open("a") as said:
            processes = [clone.start(*command, stdout=said) for command in commands]
        try:
            wait_until(lambda: answers(f"{known['MLFLOW_TRACKING_URI']}/health"), seconds=300)
            wait_until(lambda: answers(f"{known['PREFECT_API_URL']}/health"), seconds=300)
            yield
        finally:
            for process in processes:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()

    return run


def ask(clone, path, body=None, user="ada", password=""):
    """Ask MLflow's server as a user."""
    known = clone.environment
    pair = f"{user}:{password or known['MLFLOW_TRACKING_PASSWORD']}"
    request = urllib.request.Request(
        f"{known['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)


def fill(clone):
    """Put something into each part."""
    clone.run("python", "-m", "slimderm", "remote", "s3://lesions/versions")
    (clone.folder / "own.bin").write_bytes(os.urandom(100_000))
    clone.run("dvc", "add", "-q", "own.bin")
    clone.run("dvc", "push", "-q")
    clone.run("python", "-W", "ignore", "-c", FILL)
    password = clone.environment["MLFLOW_TRACKING_PASSWORD"]
    ask(clone, "users/create", {"username": "grace", "password": password})
    clone.ask("/variables/", {"name": "season", "value": "winter"})


def bucket(clone):
    known = clone.environment
    session = boto3.Session(
        known["AWS_ACCESS_KEY_ID"], known["AWS_SECRET_ACCESS_KEY"],
        region_name=known["AWS_DEFAULT_REGION"],
    )  # fmt: skip
    return session.resource("s3", endpoint_url=known["AWS_ENDPOINT_URL"]).Bucket("lesions")


def psql(postgres, secret, question, database="postgres"):
    command = [postgres.programs / "psql", "-h", "127.0.0.1", "-p", postgres.port, "-U", "slimderm"]
    done = subprocess.run(
        [*command, "-d", database, "-qAtc", question],
        check=True, capture_output=True, text=True, env={**os.environ, "PGPASSWORD": secret},
    )  # fmt: skip
    return done.stdout.strip()


def destroy(clone, postgres, secret):
    """Lose everything that a backup holds."""
    for name in ("mlflow", "prefect"):
        psql(postgres, secret, f"drop database {name} with (force)")
        postgres.create(name)
    bucket(clone).objects.all().delete()
    bucket(clone).delete()
    (clone.folder.parent / "users.db").unlink()
    clone.run("rm", "-r", "own.bin", ".dvc/cache")


@pytest.fixture(scope="module")
def lost(clone, serving, postgres, secret):
    """What the servers held before a backup, after which all of it was lost."""
    with serving():
        fill(clone)
        held = clone.run("python", "-W", "ignore", "-c", READ).stdout
        said, checked = clone.follow("operations.md", "$", 0, 2)
        refused = clone.run("make", "restore", "IN=../kept", "OVERWRITE=yes", check=False)
    names = sorted(entry.key for entry in bucket(clone).objects.all())
    own = (clone.folder / "own.bin").read_bytes()
    destroy(clone, postgres, secret)
    assert checked.splitlines()[-1].startswith("backup: ../kept is whole, made 20")
    return {"held": held, "said": said, "refused": refused, "names": names, "own": own}


@pytest.fixture(scope="module")
def restored(clone, lost):
    """What a restore into the empty places said, before both databases are brought up to date."""
    (said,) = clone.follow("operations.md", "$", 2, 3)
    clone.follow("operations.md", "$", 3, 5)
    return said


def test_a_backup_names_its_parts_and_no_password(clone, lost, secret):
    for name in ("users", "mlflow", "prefect", "artifacts", "versions"):
        assert f"{name}: " in lost["said"]
    made = clone.folder.parent / "kept"
    manifest = json.loads((made / "manifest.json").read_text())
    assert set(manifest["parts"]) >= {"users", "mlflow", "prefect", "artifacts", "versions"}
    assert manifest["versions"].keys() >= {"mlflow", "prefect", "dvc"}
    for path in made.rglob("*"):
        assert path.is_dir() or secret.encode() not in path.read_bytes(), path
    assert secret not in lost["said"]


def test_while_servers_run_nothing_is_restored(lost):
    said = lost["refused"].stdout
    assert lost["refused"].returncode != 0
    assert "nothing was restored. " in said
    for name in ("mlflow", "prefect", "users"):
        assert f"{name}: received a database in use" in said


def test_everything_that_was_lost_is_back(clone, serving, lost, restored):
    assert sorted(entry.key for entry in bucket(clone).objects.all()) == lost["names"]
    assert len({name.split("/")[0] for name in lost["names"]}) == 2  # versions and artifacts
    for name in ("users", "mlflow", "prefect", "artifacts", "versions"):
        assert f"{name}: restored to " in restored
    clone.run("dvc", "pull", "-q", "own.bin")
    assert (clone.folder / "own.bin").read_bytes() == lost["own"]
    with serving():
        assert clone.run("python", "-W", "ignore", "-c", READ).stdout == lost["held"]
        grace = ask(clone, "users/get?username=grace", user="grace")
        assert grace["user"]["username"] == "grace"
        assert clone.ask("/variables/name/season")["value"] == "winter"


def test_a_second_restore_is_refused_until_told_and_deletes_what_came_after(
    clone, postgres, secret, restored
):
    bucket(clone).put_object(Key="artifacts/later.txt", Body=b"later")
    bucket(clone).put_object(Key="elsewhere/other.txt", Body=b"of others")
    psql(postgres, secret, "create table later (name text)", "mlflow")
    refused = clone.run("make", "restore", "IN=../kept", check=False)
    assert refused.returncode != 0
    for held in ("tables in postgresql://slimderm@", "objects below s3://lesions/artifacts"):
        assert held in refused.stdout
    clone.run("make", "restore", "IN=../kept", "OVERWRITE=yes", "PARTS=artifacts mlflow")
    assert "artifacts/later.txt" not in {each.key for each in bucket(clone).objects.all()}
    assert bucket(clone).Object("elsewhere/other.txt").get()["Body"].read() == b"of others"
    later = "select count(*) from pg_tables where tablename = 'later'"
    assert psql(postgres, secret, later, "mlflow") == "0"


def test_a_dump_that_ends_in_the_middle_leaves_the_database_as_it_was(
    clone, postgres, secret, restored, tmp_path, monkeypatch
):
    monkeypatch.setenv("PGPASSWORD", secret)
    dump = (clone.folder.parent / "kept/mlflow/database.dump").read_bytes()
    (tmp_path / "database.dump").write_bytes(dump[: len(dump) - 2000])
    address = f"postgresql://slimderm@127.0.0.1:{postgres.port}/mlflow"
    count = "select count(*) from registered_models"
    with pytest.raises(RecordError, match="pg_restore: error"):
        Postgres("mlflow", make_url(address)).restore(tmp_path)
    assert psql(postgres, secret, count, "mlflow") == "1"


def test_a_database_that_is_not_there_is_an_error_that_names_it(postgres, secret, tmp_path):
    url = make_url(f"postgresql://slimderm:{secret}@127.0.0.1:{postgres.port}/nowhere")
    with pytest.raises(RecordError, match='"nowhere" does not exist') as refused:
        Postgres("mlflow", url).save(tmp_path)
    assert secret not in str(refused.value)
    with pytest.raises(RecordError, match='"nowhere" does not exist'):
        Postgres("mlflow", url).holds()
