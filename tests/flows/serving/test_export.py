"""The page on export as it stands, and what it ships where the runtime alone is installed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from slimderm.flows.config.params import RecordSettings
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.registry import Registry
from tests.flows.serving.example import DESCRIPTION

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def shipped(make_workspace, network):
    """A clone with a model file and a champion, in which the page's commands were run."""
    workspace = make_workspace()
    patch = pytest.MonkeyPatch()
    patch.chdir(workspace.folder)
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    # Absolute: MLflow keeps a database open under its address.
    uri = f"sqlite:///{workspace.folder}/mlflow.db"
    tracker = Tracker(RecordSettings(tracking_uri=uri))
    registry = Registry(tracker)
    network().save("model.keras")
    with tracker.child(tracker.parent("p", "lenet5", {}), "k", "R1", {}) as run:
        run.model(Path("model.keras"), DESCRIPTION)
    registry.register("k", {})
    version = registry.version("1")
    registry.tag(version, {"gates": "passed"})
    registry.promotions.promote(version, "a test")
    patch.undo()
    workspace.said = workspace.follow("export.md")
    return workspace


def test_the_pages_commands_write_what_the_page_says(shipped):
    first, champion, onnx = shipped.said
    assert first.startswith("model.keras as litert-int8: ")
    assert champion.startswith("slimderm version 1 as litert-int8: ")
    assert onnx.startswith("slimderm version 1 as onnx-float32: ")
    assert all(shipped.is_clean(said) for said in shipped.said)
    for said in shipped.said:
        folder = shipped.folder / said.splitlines()[-1].removeprefix("saved: ")
        model = "model.onnx" if folder.name == "edge-onnx" else "model.tflite"
        assert {path.name for path in folder.iterdir()} == {"README.md", "ledger.json", model}


@pytest.mark.parametrize(
    ("runtime", "name"), [("ai-edge-litert", "edge-champion"), ("onnxruntime", "edge-onnx")]
)
def test_an_environment_of_the_runtime_alone_runs_what_was_shipped(
    shipped, tmp_path, runtime, name
):
    environment = tmp_path / "environment"
    python, uv = environment / "bin/python", Path(sys.executable).with_name("uv")
    install = [uv, "pip", "install", "--quiet", "--python", python]
    for command in (
        [sys.executable, "-m", "venv", "--without-pip", environment],
        [*install, "--constraint", ROOT / "requirements.lock", runtime],
    ):
        subprocess.run([str(part) for part in command], cwd=tmp_path, check=True)
    folder = shipped.folder / name
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), flags=re.S)
    kept = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(
        [python, "-c", code], cwd=folder, env=kept, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = [float(each) for each in done.stdout.strip(" []\n").split()]
    assert sum(found) == pytest.approx(1, abs=1e-5)
    assert len(found) == json.loads((folder / "ledger.json").read_text())["num_classes"]
