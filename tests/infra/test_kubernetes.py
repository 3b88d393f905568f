"""infra/kubernetes-job-template.json and kubernetes.yaml: what they name is there."""

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import prefect
import pytest
import yaml
from prefect.utilities.templating import apply_values, find_placeholders

from slimderm.flows.agents.deployments import deploy

INFRA = Path(__file__).parents[2] / "infra"
TEMPLATE = INFRA / "kubernetes-job-template.json"
METADATA = "server/api/collections_data/views/aggregate-worker-metadata.json"


@pytest.fixture
def template():
    return json.loads(TEMPLATE.read_text())


@pytest.fixture
def prefects_own():
    """The template that Prefect itself gives a work pool of this type."""
    known = json.loads((Path(prefect.__file__).parent / METADATA).read_text())
    return known["prefect-kubernetes"]["kubernetes"]["default_base_job_configuration"]


@pytest.fixture
def manifests():
    """What kubernetes.yaml lists, by kind and name."""
    listed = yaml.safe_load((INFRA / "kubernetes.yaml").read_text())
    assert (listed["apiVersion"], listed["kind"]) == ("v1", "List")
    return {(each["kind"], each["metadata"]["name"]): each for each in listed["items"]}


def answers(address):
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(address, timeout=5).is_success
    return False


def containers(manifests):
    for (kind, _), each in manifests.items():
        if kind == "Deployment":
            yield from each["spec"]["template"]["spec"]["containers"]


def test_the_template_has_all_that_prefects_own_has_and_each_variable_is_used(
    template, prefects_own
):
    known = template["variables"]["properties"]
    assert known.keys() >= prefects_own["variables"]["properties"].keys()
    for name, own in prefects_own["variables"]["properties"].items():
        assert known[name].get("type") == own.get("type"), name
    assert template["job_configuration"].keys() == prefects_own["job_configuration"].keys()
    used = {each.name for each in find_placeholders(template["job_configuration"])}
    assert used == known.keys()


def test_with_its_defaults_it_is_a_job_that_runs_a_flow_in_a_clone(template):
    known = template["variables"]["properties"]
    values = {name: each["default"] for name, each in known.items() if "default" in each}
    run = ["prefect", "flow-run", "execute"]
    given = {"name": "train", "command": run, "env": [], "labels": {}}
    filled = apply_values(template["job_configuration"], {**values, **given})
    assert not find_placeholders(filled)
    pod = filled["job_manifest"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["command"] == ["/opt/with_secrets.sh", "/opt/clone.sh"]
    assert container["args"] == run
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    mounted = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    assert mounted == {"clone": container["workingDir"], "shm": "/dev/shm"}
    assert {each["name"] for each in pod["volumes"]} == mounted.keys()
    assert filled["job_manifest"]["spec"]["backoffLimit"] == 0  # the pipeline sends it again


def test_every_script_of_a_container_is_in_the_image(template, manifests):
    copied = re.findall(r"infra/(\w+\.sh)", (INFRA / "Dockerfile").read_text())
    pod = template["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
    for container in (*pod["containers"], *containers(manifests)):
        scripts = [part for part in container["command"] if part.startswith("/opt/")]
        assert {Path(part).name for part in scripts} <= set(copied), container["name"]


def test_what_the_manifests_refer_to_is_in_them_or_made_by_the_page(manifests):
    page = (INFRA.parent / "docs/kubernetes.md").read_text()
    made = set(re.findall(r"create secret generic (\S+)", page))
    for container in containers(manifests):
        for source in container["envFrom"]:
            if "secretRef" in source:
                assert source["secretRef"]["name"] in made
            else:
                assert ("ConfigMap", source["configMapRef"]["name"]) in manifests
    for (kind, name), each in manifests.items():
        if kind == "Service":
            (port,) = each["spec"]["ports"]
            served = manifests["Deployment", name]["spec"]["template"]
            assert each["spec"]["selector"].items() <= served["metadata"]["labels"].items()
            ports = served["spec"]["containers"][0]["ports"]
            assert port["targetPort"] in [one["containerPort"] for one in ports]
        if kind == "Deployment":
            pod = each["spec"]["template"]
            assert each["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"]
            for volume in pod["spec"].get("volumes", []):
                claim = volume.get("persistentVolumeClaim")
                assert claim is None or ("PersistentVolumeClaim", claim["claimName"]) in manifests


def test_containers_know_what_those_of_compose_know(manifests, services, known_to):
    given = manifests["ConfigMap", "slimderm"]["data"]
    worker = services()["worker-gpu"]
    page = (INFRA.parent / "docs/kubernetes.md").read_text()
    secrets = set(re.findall(r"--from-file=(\w+)=", page))
    assert secrets >= set(known_to(worker)) | set(known_to(services()["serve"]))
    elsewhere = {"MLFLOW_PAGE", "KERAS_BACKEND"}  # a page of compose's own; the image's default
    assert given.keys() >= worker["environment"].keys() - elsewhere


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_prefect_takes_the_template_and_deploying_leaves_the_pool_as_it_is(
    make_workspace, template, free_port, wait_until
):
    workspace, port = make_workspace(), free_port()
    api = workspace.environment["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    (create,) = [
        command
        for command in workspace.commands("kubernetes.md", "host$")
        if command.startswith("prefect work-pool create")
    ]
    server = [sys.executable, "-m", "prefect", "server", "start", "--port", port]
    with workspace.start(*server, stdout=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: answers(f"{api}/health"), 300)
            workspace.run("bash", "-c", create)
            with contextlib.chdir(workspace.folder):
                for _ in range(2):
                    deploy({**os.environ, **workspace.environment})
            pools = {
                each["name"]: each
                for each in httpx.post(f"{api}/work_pools/filter", json={}, timeout=30).json()
            }
        finally:
            process.terminate()
    assert {name: pool["type"] for name, pool in pools.items()} == {
        "cpu": "process", "gpu": "kubernetes"
    }  # fmt: skip
    assert pools["gpu"]["base_job_template"] == template
