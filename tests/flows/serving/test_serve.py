"""A champion behind real servers: ours, and MLflow's own without a clone."""

import base64
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import httpx
import numpy as np
import pandas as pd
import pytest

from slimderm.components.classification.classifier import Classifier
from slimderm.flows.config.params import read_params
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.registry import Registry
from tests.flows.serving.example import DESCRIPTION as EXAMPLE

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(900)]

CLASSES = ["melanoma", "nevus"]
DESCRIPTION = EXAMPLE | {"classes": CLASSES, "variant": "compressed", "k": 6}
PHOTO = np.random.default_rng(0).integers(0, 256, (24, 30, 3), dtype=np.uint8)
FILE = cv2.imencode(".jpg", PHOTO[..., ::-1])[1].tobytes()
ROW = {"image": FILE, "age": 45, "sex": "female", "localization": "back"}
IN_JSON = ROW | {"image": base64.b64encode(FILE).decode()}


@pytest.fixture(scope="module")
def workspace(make_workspace, network):
    """A clone whose champion passed its gates; registered in two ways, as now and as before."""
    workspace = make_workspace()
    patch = pytest.MonkeyPatch()
    patch.chdir(workspace.folder)
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tracker = Tracker(read_params().record)
    registry, mlflow = Registry(tracker), tracker.mlflow
    network().save("model.keras")
    with tracker.child(tracker.parent("p", "lenet5", {}), "k", "R1", {}) as run:
        run.model(Path("model.keras"), DESCRIPTION)
    registry.register("k", {})
    example = {"image": np.zeros((1, 8, 10, 3)), "metadata": np.zeros((1, 3))}
    signature = mlflow.models.infer_signature(example)
    more = {"signature": signature, "pip_requirements": ["mlflow"], "metadata": DESCRIPTION}
    with mlflow.start_run(tracker.client.create_run(tracker.experiment_id).info.run_id):
        logged = mlflow.tensorflow.log_model(network(), name="model", **more)
    mlflow.register_model(logged.model_uri, registry.name)
    for number, temperature in (("1", 1.5), ("2", 2.5)):
        version = registry.version(number)
        registry.tag(version, {"gates": "passed"})
        registry.calibrate(version, temperature)
    patch.undo()
    return workspace


def promote(workspace, number):
    script = (
        "from slimderm.flows.config.params import read_params;"
        "from slimderm.flows.record.mlflow_store import Tracker;"
        "from slimderm.flows.record.registry import Registry;"
        "r = Registry(Tracker(read_params().record));"
        f"r.promotions.promote(r.version('{number}'), 'test')"
    )
    workspace.run("python", "-W", "ignore", "-c", script)


@pytest.fixture
def ask(workspace, free_port, wait_until):
    """Starts a server and gives a function that asks it; what it said comes with the answer."""
    started = []

    def start(*command, cwd, alive="ping", **more):
        port = free_port()
        environment = workspace.environment | more | {"SERVE_PORT": port}
        said = (workspace.folder.parent / f"{port}.log").open("w+")
        command = [each.replace("PORT", port) for each in command]
        process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdout=said, stderr=said, start_new_session=True
        )
        started.append((process, said))
        place = f"http://127.0.0.1:{port}"

        def answers():
            assert process.poll() is None, Path(said.name).read_text()
            try:
                return httpx.get(f"{place}/{alive}", timeout=2).status_code == 200
            except httpx.HTTPError as error:
                raise OSError(str(error)) from error

        wait_until(answers, 300)
        return (
            lambda body, path="invocations": httpx.post(f"{place}/{path}", json=body, timeout=120),
            said,
            port,
        )

    yield start
    for process, said in started:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        said.close()


@pytest.fixture
def expected(network):
    """Gives what a version of a temperature should answer."""

    def answer(temperature):
        found = Classifier(network(), DESCRIPTION, temperature).classify(pd.DataFrame([ROW]))
        return found.to_dict("records")[0]

    return answer


def check(reply, wanted):
    assert reply.status_code == 200, reply.text
    (row,) = reply.json()["predictions"]
    assert row.pop("predicted") == wanted.pop("predicted")
    assert row == pytest.approx(wanted, abs=1e-5)
    assert row["calibrated"] is True


def test_our_service_answers_and_serves_the_next_champion_without_a_restart(
    workspace, ask, expected, wait_until
):
    promote(workspace, "1")
    command = [sys.executable, "-m", "slimderm", "serve"]
    post, said, port = ask(*command, cwd=workspace.folder, alive="ready", SERVE_WATCH_SECONDS="1")

    def check_service(reply, temperature):
        assert reply["model"]["calibrated"] is True
        wanted = expected(temperature)
        found = reply["probabilities"] | {"predicted": reply["predicted"], "calibrated": True}
        assert found == pytest.approx(wanted, abs=1e-5)

    check_service(post(IN_JSON, "predict/base64").json(), 1.5)
    # The command that it says itself.
    text = Path(said.name).read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("ask:")]
    (workspace.folder / "photo.jpg").write_bytes(FILE)
    answer = workspace.run("bash", "-c", line.removeprefix("ask:").strip())
    check_service(json.loads(answer.stdout), 1.5)
    assert port in line
    assert workspace.is_clean(text), text
    promote(workspace, "2")
    wait_until(lambda: post(IN_JSON, "predict/base64").json()["model"]["version"] == "2", 60)
    check_service(post(IN_JSON, "predict/base64").json(), 2.5)


@pytest.mark.parametrize(("number", "temperature"), [("1", 1.5), ("2", 2.5)])
def test_mlflows_server_of_ours_answers_with_named_and_calibrated_classes(
    workspace, ask, number, temperature, expected
):
    promote(workspace, number)
    command = [sys.executable, "-m", "slimderm", "serve", "--mlflow"]
    post, said, port = ask(*command, cwd=workspace.folder)
    check(post({"dataframe_records": [IN_JSON]}), expected(temperature))
    pixels = cv2.imdecode(np.frombuffer(FILE, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].tolist()
    check(post({"inputs": [ROW | {"image": pixels}]}), expected(temperature))
    refused = post({"dataframe_records": [IN_JSON | {"sex": "m", "age": -1}]})
    assert refused.status_code == 400
    message = refused.json()["message"]
    assert "sex: received 'm', expected one of female, male; or null or 'unknown'" in message
    assert "age: received -1, expected years from 0 to 120, or null where unknown" in message
    refused = post({"dataframe_records": [IN_JSON | {"image": [[[0, 0, 256]]]}]})
    assert "image: received pixels from 0 to 256, expected" in refused.json()["message"]
    unknown = dict.fromkeys(("age", "sex", "localization"))
    assert post({"dataframe_records": [IN_JSON | unknown]}).status_code == 200
    # The command that it says itself.
    text = Path(said.name).read_text()
    command = next(line for line in text.splitlines() if line.startswith("ask:"))
    (workspace.folder / "photo.jpg").write_bytes(FILE)
    answer = workspace.run("bash", "-c", command.removeprefix("ask:").strip())
    (row,) = json.loads(answer.stdout)["predictions"]
    assert row["melanoma"] == pytest.approx(expected(temperature)["melanoma"], abs=1e-5)
    assert port in command


def test_mlflows_server_answers_the_same_where_there_is_no_clone(
    workspace, ask, tmp_path, expected
):
    mlflow = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/slimderm/1"]
    post, *_ = ask(
        *mlflow, "--env-manager", "local", "--port", "PORT",
        cwd=tmp_path, MLFLOW_TRACKING_URI=f"sqlite:///{workspace.folder}/mlflow.db",
    )  # fmt: skip
    check(post({"dataframe_records": [IN_JSON]}), expected(1.5))
    refused = post({"dataframe_records": [IN_JSON | {"localization": "moon"}]})
    assert refused.status_code == 400
    assert "localization: received 'moon', expected one of back, face" in refused.json()["message"]
