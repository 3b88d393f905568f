"""Passwords of infra/compose.yaml: files, which programs get as variables."""

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def compose(document):
    return document()


def test_passwords_are_files_that_a_script_makes_once_and_ports_are_on_loopback(
    compose, example, secrets, known_to
):
    assert [name for name in example if re.search("PASSWORD|SECRET|AUTH|TOKEN", name)] == []
    made = {path.name: path.read_text() for path in secrets.iterdir()}
    assert {f"./secrets/{name}" for name in made} == {
        each["file"] for each in compose["secrets"].values()
    }
    assert all(len(text.strip()) >= 48 for text in made.values())
    assert len(set(made.values())) == len(made)
    assert secrets.stat().st_mode & 0o777 == 0o700  # the files are for the containers' users
    assert {path.stat().st_mode & 0o777 for path in secrets.iterdir()} == {0o644}
    (secrets / "SERVE_TOKEN").unlink()
    subprocess.run(["sh", secrets.parent / "secrets.sh"], check=True)
    again = {path.name: path.read_text() for path in secrets.iterdir()}
    assert {name for name in made if made[name] != again[name]} == {"SERVE_TOKEN"}
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        known_to(service)  # each is a file


def test_a_program_gets_its_secrets_as_variables_of_their_names(tmp_path):
    (tmp_path / "PGPASSWORD").write_text("p@ss w'rd\n")
    for folder, said in ((tmp_path, "p@ss w'rd"), (tmp_path / "none", "")):
        done = subprocess.run(
            [ROOT / "infra/with_secrets.sh", "sh", "-c", 'printf %s "${PGPASSWORD:-}"'],
            env={"SECRETS": str(folder), "PATH": "/usr/bin:/bin"},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout == said


def test_servers_ask_for_a_password_and_workers_have_it(compose, known_to):
    known = {name: known_to(service) for name, service in compose["services"].items()}
    assert "basic-auth" in compose["services"]["mlflow"]["command"]
    assert known["prefect"]["PREFECT_SERVER_API_AUTH_STRING"]
    assert known["serve"]["SERVE_TOKEN"]
    file = compose["services"]["postgres"]["environment"]["POSTGRES_PASSWORD_FILE"]
    assert file == "/run/secrets/POSTGRES_PASSWORD"
    for name in ("mlflow", "prefect", "tools"):
        assert known[name]["PGPASSWORD"] == known["postgres"]["POSTGRES_PASSWORD"]
    admin = known["mlflow"]["MLFLOW_AUTH_ADMIN_PASSWORD"]
    for name in ("worker-cpu", "worker-gpu"):
        assert admin not in known[name].values()
        given = known[name]["PREFECT_API_AUTH_STRING"]
        assert given == known["prefect"]["PREFECT_SERVER_API_AUTH_STRING"]
        given = known[name]["MLFLOW_TRACKING_PASSWORD"]
        assert given == known["mlflow-user"]["MLFLOW_WORKER_PASSWORD"]


def test_the_store_takes_its_keys_from_a_file_and_the_workers_know_them(compose, secrets, known_to):
    store, worker = compose["services"]["s3"], compose["services"]["worker-cpu"]
    assert store["secrets"] == ["s3.json"]
    assert "-s3.config=/run/secrets/s3.json" in store["command"]
    (who,) = json.loads((secrets / "s3.json").read_text())["identities"]
    assert who["actions"] == ["Admin"]  # it makes the buckets
    (pair,) = who["credentials"]
    assert pair == {
        "accessKey": worker["environment"]["AWS_ACCESS_KEY_ID"],
        "secretKey": known_to(worker)["AWS_SECRET_ACCESS_KEY"],
    }
    assert worker["environment"]["AWS_ENDPOINT_URL"] == "http://s3:8333"


def test_no_variable_and_no_command_holds_a_password(compose):
    for name, service in compose["services"].items():
        known = service.get("environment", {})
        secret = [each for each in known if re.search("PASSWORD|SECRET|AUTH_STRING|TOKEN", each)]
        assert all(known[each].startswith("/run/secrets/") for each in secret), name
        for text in (*known.values(), *service.get("command", [])):
            assert not re.search(r"://[^\s/@]+:[^\s/@]+@", text), name
