"""What the commands of the Makefile set up and leave alone."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def make(tmp_path):
    """Runs a command in a folder that looks like a clone with its environment installed."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.lock", "infra/cuda-jax.lock", ".venv/bin/.installed"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    def run(*arguments):
        # Not the variables of a make that runs these tests.
        how = {"cwd": tmp_path, "env": {"PATH": os.environ["PATH"]}}
        command = ["make", *arguments]
        return subprocess.run(command, **how, capture_output=True, text=True, check=False)

    return run


def test_a_gpu_machine_stays_one_whatever_sets_up_anew(make, tmp_path):
    assert "cuda" not in make("-n", "setup").stdout
    assert "infra/cuda-jax.lock" in make("-n", "setup", "CUDA=jax").stdout
    (tmp_path / ".cuda").write_text("jax\n")
    assert "infra/cuda-jax.lock" in make("-n", "agent").stdout
    assert "expected tensorflow, jax or torch" in make("setup", "CUDA=opencl").stderr


def test_an_agent_is_given_one_gpu(make):
    assert "python -m slimderm agent --gpu 1" in make("-n", "agent", "GPU=1").stdout
    assert "--gpu" not in make("-n", "agent").stdout


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
    own = {"Makefile", "requirements.lock", "infra/cuda-jax.lock", ".venv/bin/.installed"}
    assert left == own | {"data/ham10000/a.jpg", "own/a"}
