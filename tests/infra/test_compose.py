"""infra/compose.yaml against the compose specification, and against what the processes are."""

import re
import subprocess
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
        "postgres", "s3", "mlflow", "mlflow-user", "prefect", "worker-cpu", "worker-gpu", "serve",
        "tools",
    }  # fmt: skip


def test_with_tls_it_keeps_to_the_specification_and_opens_no_port_but_the_proxys(document):
    known = document("compose.tls.yaml", BIND="10.0.0.5", ADDRESS="slim.example.org")
    parsed = PyCompose.from_yaml(yaml.safe_dump(known))
    assert "proxy" in parsed.service_names()
    opened = {name for name, service in known["services"].items() if service.get("ports")}
    assert opened == {"proxy"}
    plain = document(BIND="10.0.0.5")["services"]
    ports = [port for service in plain.values() for port in service.get("ports", [])]
    assert sorted(known["services"]["proxy"]["ports"]) == sorted(ports)
    caddy = (ROOT / "infra/Caddyfile").read_text()
    for port in ports:
        assert f"https://{{$ADDRESS}}:{port.rsplit(':', 1)[1]} {{" in caddy
    page = "https://slim.example.org:5000"
    mlflow = known["services"]["mlflow"]["environment"]
    assert mlflow["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"] == page
    assert mlflow["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")[-1] == "slim.example.org:*"
    for name in ("worker-cpu", "worker-gpu"):
        assert known["services"][name]["environment"]["MLFLOW_PAGE"] == page
    told = known["services"]["prefect"]["environment"]["PREFECT_SERVER_UI_API_URL"]
    assert told == "https://slim.example.org:4200/api"


def test_every_service_has_limits_and_its_log_is_rotated(document):
    for name, service in document("compose.tls.yaml")["services"].items():
        limits = service["deploy"]["resources"]["limits"]
        assert float(limits["cpus"]) <= 2, name  # more than a machine has is an error
        assert re.fullmatch(r"\d+[gm]", limits["memory"])
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}, name


def test_a_worker_has_time_to_end_its_job_and_memory_that_its_processes_share(services):
    for name in ("worker-cpu", "worker-gpu"):
        assert services(WORKER_STOP="2h")[name]["stop_grace_period"] == "2h"
        assert services()[name]["stop_grace_period"] == "30m"
        assert services()[name]["shm_size"] == "1g"


def test_every_image_can_be_named_by_its_digest(services, example):
    text = "".join(
        (ROOT / "infra" / name).read_text() for name in ("compose.yaml", "compose.tls.yaml")
    )
    variables = set(re.findall(r"\$\{(\w+_IMAGE):-", text))
    digests = {name: f"{name.lower()}@sha256:{'0' * 64}" for name in variables}
    known = services("compose.tls.yaml", **digests)
    used = {service["image"] for service in known.values()} - {"slimderm", "slimderm-gpu"}
    built = {
        service["build"]["args"]["PYTHON_IMAGE"] for service in known.values() if "build" in service
    }
    assert used | built == set(digests.values())
    dockerfile = (ROOT / "infra/Dockerfile").read_text()
    assert "FROM ${PYTHON_IMAGE}" in dockerfile
    assert f"PYTHON_IMAGE={services()['mlflow']['build']['args']['PYTHON_IMAGE']}\n" in dockerfile


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
    told = known["mlflow"]["environment"]
    hosts = told["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    assert hosts == ["mlflow:5000", "localhost:*", "127.0.0.1:*", "10.0.0.5:*"]
    assert told["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"] == "http://10.0.0.5:5001"
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


def test_images_are_pinned_by_a_script_that_asks_docker_for_their_digests(tmp_path):
    (tmp_path / "docker").write_text(
        '#!/bin/sh\n[ "$1" = pull ] && echo pulled && exit\n'
        'for image; do :; done; echo "$image" | sed "s/:.*/@sha256:0123/"\n'
    )
    (tmp_path / "docker").chmod(0o755)
    done = subprocess.run(
        ["sh", ROOT / "infra/pin_images.sh"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "CADDY_IMAGE=caddy@sha256:0123",
        "POSTGRES_IMAGE=postgres@sha256:0123",
        "PYTHON_IMAGE=python@sha256:0123",
        "S3_IMAGE=chrislusf/seaweedfs@sha256:0123",
    ]


def test_the_service_and_the_tools_wait_to_be_asked_for(compose):
    asked = {
        name: each["profiles"] for name, each in compose["services"].items() if "profiles" in each
    }
    assert asked == {"serve": ["serve"], "tools": ["tools"]}


def test_a_backup_knows_every_place_that_the_servers_write_to(compose):
    tools, mlflow, prefect = (compose["services"][name] for name in ("tools", "mlflow", "prefect"))
    known = {**mlflow["environment"], **prefect["environment"]}
    for name in (
        "MLFLOW_BACKEND_STORE_URI", "MLFLOW_ARTIFACTS_DESTINATION", "MLFLOW_AUTH_CONFIG_PATH",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL", "AWS_ENDPOINT_URL",
    ):  # fmt: skip
        assert tools["environment"][name] == known[name]
    assert set(tools["volumes"]) >= {
        *mlflow["volumes"],
        *compose["services"]["worker-cpu"]["volumes"],
    }


def test_every_volume_and_file_that_is_named_is_there(compose):
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or source.startswith("./"), volume
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
