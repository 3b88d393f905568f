"""What the commands of the Makefile set up and leave alone."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer

from slimderm.flows.cli.app import app

ROOT = Path(__file__).parents[2]
COMMANDS = typer.main.get_command(app).commands
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M)
GIVEN = {  # a value for each variable that the targets take
    "DATA": "own/my images", "RECIPE": "recipes/my own.yaml", "IMAGE": "my photos/a b.jpg",
    "AGE": "45",
    "SEX": "female", "SITE": "lower extremity", "IMAGES": "my photos", "OUT": "my table.csv",
    "METADATA": "my people.csv", "VERSION": "3", "WHY": "half the size", "MODEL": "slimderm/4",
    "OF": "0123abcd", "SKIN_TONE": "fitzpatrick", "POOLS": "cpu", "GPU": "1", "URL": "s3://bucket/prefix",
    "IN": "my backups/monday", "PARTS": "users mlflow", "OVERWRITE": "yes",
    "CHECK": "yes",
}  # fmt: skip
PASSED = {
    "run": {"RECIPE", "DATA"},
    "predict": {"IMAGE", "AGE", "SEX", "SITE"},
    "batch": {"IMAGES", "OUT", "METADATA"},
    "codecs": {"IMAGES"},
    "evaluate": {"DATA", "MODEL", "SKIN_TONE"},
    "promote": {"VERSION", "WHY"},
    "rollback": {"WHY"},
    "lineage": {"MODEL", "OF"},
    "up": {"POOLS"},
    "agent": {"GPU"},
    "remote": {"URL"},
    "backup": {"OUT"},
    "restore": {"IN"},
}


@pytest.fixture
def make(tmp_path):
    """Runs a command in a folder that looks like a clone with its environment installed."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.lock", "dvc.yaml", "infra/cuda-jax.lock", ".venv/bin/.installed"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    def run(*arguments):
        # Not the variables of a make that runs these tests.
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        how = {"cwd": tmp_path, "env": {"PATH": path, "PYTHONPATH": str(ROOT)}}
        command = ["make", *arguments]
        return subprocess.run(command, **how, capture_output=True, text=True, check=False)

    return run


def called(recipe):
    """The commands of the program that a recipe calls: a list of words each."""
    lines = re.findall(r"python -m slimderm (.*)", recipe)
    return [shlex.split(line.split(";")[0]) for line in lines]


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_calls_commands_that_exist_with_what_they_take(make, target):
    for given in ({}, GIVEN):
        done = make("-n", target, *(f"{name}={value}" for name, value in given.items()))
        assert done.returncode == 0, done.stderr
        assert "python -m slimderm." not in done.stdout
        calls = called(done.stdout)
        named = {"help": ["make-help"]}.get(target, [target] if target in COMMANDS else [])
        assert [name for name, *_ in calls] == named
        for name, *words in calls:
            context = COMMANDS[name].make_context(name, words)  # refuses an unknown option
            taken = str(list(map(str, context.params.values())))
            if given:
                assert [each for each in PASSED.get(name, ()) if given[each] not in taken] == []


def test_help_takes_its_sentences_from_the_program(make):
    lines = {line.split()[1]: line for line in make("help").stdout.splitlines()}
    assert list(lines) == TARGETS
    assert "Run what is stale, then say what was made: DATA=folder" in lines["run"]
    assert lines["down"].endswith("Stop what the command up started")
    assert "the rest of the tests" in lines["test-slow"]
    makefile = (ROOT / "Makefile").read_text().lower()
    for command in COMMANDS.values():  # no sentence stands in both
        assert command.help.split("\n")[0].rstrip(".").lower() not in makefile


def test_help_before_the_environment_is_there(make, tmp_path):
    (tmp_path / ".venv/bin/.installed").unlink()
    *lines, last = make("help").stdout.splitlines()
    assert [line.split()[1] for line in lines] == TARGETS
    assert "DATA=folder" in next(line for line in lines if "make run" in line)
    assert last.startswith("make setup")


def test_a_gpu_machine_stays_one_whatever_sets_up_anew(make, tmp_path):
    assert "cuda" not in make("-n", "setup").stdout
    assert "infra/cuda-jax.lock" in make("-n", "setup", "CUDA=jax").stdout
    (tmp_path / ".cuda").write_text("jax\n")
    assert "infra/cuda-jax.lock" in make("-n", "agent").stdout
    assert "expected tensorflow, jax or torch" in make("setup", "CUDA=opencl").stderr


def test_an_agent_is_given_one_gpu(make):
    assert "python -m slimderm agent --gpu 1" in make("-n", "agent", "GPU=1").stdout
    assert "--gpu" not in make("-n", "agent").stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_bench_measures_a_folder_of_images(make, tmp_path):
    assert "make bench IMAGES=photos" in make("bench").stdout
    (tmp_path / "benchmarks").symlink_to(ROOT / "benchmarks")
    (tmp_path / "photos").mkdir()
    noise = np.random.default_rng(0)
    for name in ("a", "b"):
        pixels = noise.integers(0, 256, (48, 64, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f"photos/{name}.jpg"), pixels)
    tiny = "--images 2 --ranks 12 24 --k 24 --batch 4 --rounds 1 --stream 3"
    done = make("bench", "IMAGES=photos", f"ARGUMENTS={tiny}")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["images"] == 2
    assert found["ratio_one_core_vs_naive"] > 0


def test_clean_deletes_what_was_made_and_no_download(make, tmp_path):
    for name in ("data/ham10000/a.jpg", "data/raw/a.jpg", "models/a", ".cache/a", "own/a"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    (tmp_path / "data/splits.csv").touch()
    (tmp_path / "mlflow.db").touch()
    for _ in range(2):
        done = make("clean")
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    own = {
        "Makefile",
        "requirements.lock",
        "dvc.yaml",
        "infra/cuda-jax.lock",
        ".venv/bin/.installed",
    }
    assert left == own | {"data/ham10000/a.jpg", "own/a"}
