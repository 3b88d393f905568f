"""Which models are one, and whose models lie in the folder that stages depend on."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from slimderm.flows.config import layout
from slimderm.flows.config.params import EvaluateSettings
from slimderm.flows.work import judging
from slimderm.flows.work.model_page import version_facts
from slimderm.flows.work.registering import model_content, set_unlisted_aside


def test_a_models_content_is_its_weights_and_its_needs_and_not_the_time(tmp_path):
    image = keras.Input((4,), name="image")
    layer = keras.layers.Dense(2, kernel_initializer="ones")
    model = keras.Model({"image": image}, layer(image))
    first, second = tmp_path / "first.keras", tmp_path / "second.keras"
    model.save(first)
    time.sleep(2.1)  # an archive counts two seconds
    model.save(second)
    assert first.read_bytes() != second.read_bytes()
    known = model_content(first, {"k": 5})
    assert model_content(second, {"k": 5}) == known
    assert model_content(second, {"k": 6}) != known
    layer.bias.assign([0, 1e-6])
    model.save(second)
    assert model_content(second, {"k": 5}) != known


def test_a_version_that_nobody_tested_says_what_it_reaches_on_validation(tmp_path):
    """Of two lesions of one image each, one told right: resampled, 0 to 1 whatever the seed."""
    kept = {"labels": np.array([0, 1]), "lesions": np.array(["a", "b"])}
    np.savez(tmp_path / judging.VALIDATION, probabilities=np.eye(2)[[0, 0]], **kept)
    record = {"num_parameters": 7, "bytes": 99, "latency_p50_ms": 1.25}
    record |= {"metrics": {"validation_balanced_accuracy": 0.5}}
    settings = EvaluateSettings(bootstrap_samples=200)
    facts = version_facts(record, tmp_path, settings)
    assert facts["balanced_accuracy"] == "0.500 (0.000 to 1.000) on 2 validation images"
    assert (facts["parameters"], facts["keras.bytes"]) == ("7", "99")
    record["metrics"]["test_balanced_accuracy"] = 0.25
    record |= {"intervals": {"test_balanced_accuracy": [0.125, 0.5]}, "num_images": 40}
    facts = version_facts(record, tmp_path, settings)
    assert facts["balanced_accuracy"] == "0.250 (0.125 to 0.500) on 40 test images"


STAGES = """\
stages:
  prune:
    foreach: ${networks}
    do:
      cmd: mkdir -p models/${item}/pruned && echo ${item} > models/${item}/pruned/steps.json
      outs:
        - models/${item}/pruned
  register:
    cmd: python register.py
    params: [networks]
    deps: [models]
    outs: [registry.json]
  review:
    cmd: cp registry.json review.json
    deps: [models, registry.json]
    outs: [review.json]
"""
REGISTER = """\
import pathlib
import yaml
from slimderm.flows.work.registering import set_unlisted_aside
networks = yaml.safe_load(pathlib.Path("params.yaml").read_text())["networks"]
set_unlisted_aside(networks, [])
pathlib.Path("registry.json").write_text(str(networks))
"""


@pytest.mark.slow
def test_nothing_is_stale_in_a_clone_that_pulled_though_the_networks_had_been_others(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()

    def dvc(folder, *arguments):
        known = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
        known["PATH"] = f"{Path(sys.executable).parent}:{known['PATH']}"
        command = [sys.executable, "-m", "dvc", *arguments]
        done = subprocess.run(
            command, cwd=folder, env=known, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    dvc(here, "init", "--no-scm")
    dvc(here, "remote", "add", "-d", "storage", str(tmp_path / "remote"))
    (here / "dvc.yaml").write_text(STAGES)
    (here / "register.py").write_text(REGISTER)
    for networks in ("[lenet5, alexnet]", "[lenet5]"):
        (here / "params.yaml").write_text(f"networks: {networks}\n")
        dvc(here, "repro")
    assert (here / ".cache/unlisted/alexnet/pruned/steps.json").read_text() == "alexnet\n"
    dvc(here, "push")
    there.mkdir()
    for name in ("dvc.yaml", "dvc.lock", "params.yaml", "register.py", ".dvc/config"):
        (there / name).parent.mkdir(exist_ok=True)
        shutil.copy(here / name, there / name)
    dvc(there, "pull")
    for folder in (here, there):
        assert "Data and pipelines are up to date." in dvc(folder, "status")


def test_a_network_that_is_listed_and_files_of_others_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("lenet5/baseline", "alexnet/baseline", "notes", "slim/kept", "slim/gone"):
        (layout.MODELS / name).mkdir(parents=True)
    (layout.MODELS / "read me.txt").touch()
    for _ in range(2):
        set_unlisted_aside(["lenet5"], ["kept"])
        assert sorted(path.name for path in layout.MODELS.iterdir()) == [
            "lenet5",
            "notes",
            "read me.txt",
            "slim",
        ]
        assert [path.name for path in layout.SLIM.iterdir()] == ["kept"]
        assert (layout.UNLISTED / "slim/gone").is_dir()
        assert (layout.UNLISTED / "alexnet/baseline").is_dir()
