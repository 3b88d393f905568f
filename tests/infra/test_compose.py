"""infra/compose.yaml against the compose specification, and against what the processes are."""

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml
from compose_spec import PyCompose

from slimderm.flows.agents.deployments import HEARTBEAT_SECONDS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def compose(document):
    return document()


def test_the_file_keeps_to_the_specification(compose):
    parsed = PyCompose.from_yaml(yaml.safe_dump(compose))
    assert set(parsed.service_names()) == {
        "postgres", "s3", "mlflow", "mlflow-user", "prefect", "worker-cpu", "worker-gpu"
    }  # fmt: skip


def test_the_check_notices_what_the_specification_does_not_know(compose):
    compose["services"]["mlflow"]["healthchek"] = {}
    with pytest.raises(ValueError, match="healthchek"):
        PyCompose.from_yaml(yaml.safe_dump(compose))


def test_every_service_that_stays_has_a_health_check_and_those_that_others_wait_for_need_it(
    compose,
):
    known = compose["services"]
    for name, service in known.items():
        if service.get("restart") != "no":
            assert service["healthcheck"]["test"][0] == "CMD", name
        for needed, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in known[needed], (name, needed)


def test_no_password_has_a_default_and_ports_are_on_loopback(compose, document, example):
    for name in [name for name in example if re.search("PASSWORD|SECRET|AUTH", name)]:
        assert example[name] == f"{name}:secret"  # empty in the file
        with pytest.raises(KeyError, match=name):
            document(**{name: ""})
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_servers_ask_for_a_password_and_workers_have_it(compose):
    assert "basic-auth" in compose["services"]["mlflow"]["command"]
    assert compose["services"]["prefect"]["environment"]["PREFECT_SERVER_API_AUTH_STRING"]
    admin = compose["services"]["mlflow"]["environment"]["MLFLOW_AUTH_ADMIN_PASSWORD"]
    for name in ("worker-cpu", "worker-gpu"):
        known = compose["services"][name]["environment"]
        assert admin not in known.values()
        for variable in ("PREFECT_API_AUTH_STRING", "MLFLOW_TRACKING_PASSWORD"):
            assert known[variable], (name, variable)


def test_workers_give_signs_of_life_as_often_as_the_watch_expects(compose):
    for name in ("worker-cpu", "worker-gpu"):
        given = compose["services"][name]["environment"]["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"]
        assert given == str(HEARTBEAT_SECONDS)


def test_what_is_loaded_is_never_unpickled_and_the_gpu_worker_knows_its_backend(compose, services):
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


def test_browsers_and_agents_elsewhere_find_pages_and_store_where_their_ports_are_bound(services):
    known = services(BIND="10.0.0.5", MLFLOW_PORT="5001", PREFECT_PORT="4201", S3_PORT="8334")
    command = known["mlflow"]["command"]
    hosts = command[command.index("--allowed-hosts") + 1].split(",")
    assert hosts == ["mlflow:5000", "localhost:*", "127.0.0.1:*", "10.0.0.5:*"]
    assert command[command.index("--cors-allowed-origins") + 1] == "http://10.0.0.5:5001"
    for name in ("worker-cpu", "worker-gpu"):
        assert known[name]["environment"]["MLFLOW_PAGE"] == "http://10.0.0.5:5001"
        assert known[name]["environment"]["PREFECT_UI_URL"] == "http://10.0.0.5:4201"
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
        values = service.get("environment", {}).values()
        addresses = [text for text in values if "://" in text]
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


def allowed(policy, action, resource, prefix=None):
    """What IAM answers, as far as the policy uses its language: moto knows no such conditions."""

    def met(operator, keys):
        (given,) = keys.values()
        assert list(keys) == ["s3:prefix"]
        assert operator == "StringLike"
        return prefix is not None and any(fnmatchcase(prefix, pattern) for pattern in given)

    def listed(value):
        return [value] if isinstance(value, str) else value

    return any(
        action in entry["Action"]
        and any(fnmatchcase(resource, each) for each in listed(entry["Resource"]))
        and all(met(*condition) for condition in entry.get("Condition", {}).items())
        for entry in policy["Statement"]
        if entry["Effect"] == "Allow"
    )


BUCKET = "arn:aws:s3:::lesions"
OBJECTS = ("GetObject", "PutObject", "DeleteObject", "AbortMultipartUpload")


@pytest.mark.parametrize(
    ("action", "resource", "prefix", "answer"),
    [
        ("ListBucket", BUCKET, None, False),  # HeadBucket
        ("ListBucket", BUCKET, "versions/files/md5/00", True),  # DVC
        ("ListBucket", BUCKET, "versions/", True),
        ("ListBucket", BUCKET, "artifacts/1/models/", True),  # MLflow
        ("ListBucket", BUCKET, "", False),
        ("ListBucket", BUCKET, "versions", False),  # it begins versions-of-others, too
        ("ListBucket", BUCKET, "others/", False),
        ("ListBucket", "arn:aws:s3:::others", None, False),
        ("ListBucket", "arn:aws:s3:::others", "versions/", False),
        ("DeleteBucket", BUCKET, None, False),
        ("PutBucketPolicy", BUCKET, None, False),
        ("PutObjectAcl", f"{BUCKET}/versions/a", None, False),
        *((name, f"{BUCKET}/versions/files/md5/00/a", None, True) for name in OBJECTS),
        *((name, f"{BUCKET}/artifacts/1/model.keras", None, True) for name in OBJECTS),
        *((name, f"{BUCKET}/others/a", None, False) for name in OBJECTS),
        *((name, f"{BUCKET}/versions-of-others/a", None, False) for name in OBJECTS),
    ],
)
def test_the_least_policy_allows_what_is_asked_below_the_two_prefixes_and_no_more(
    action, resource, prefix, answer
):
    policy = json.loads((ROOT / "infra/s3-policy.json").read_text())
    assert allowed(policy, f"s3:{action}", resource, prefix) is answer


def test_the_least_policy_names_the_places_of_the_example(example):
    text = (ROOT / "infra/s3-policy.json").read_text()
    places = {example[name].removeprefix("s3://") for name in ("DATA_REMOTE", "ARTIFACTS")}
    assert set(re.findall(r"arn:aws:s3:::([^\s\"]+)/\*", text)) == places
