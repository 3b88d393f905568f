"""What a GPU machine adds to the locked environment agrees with it."""

import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


def pins(path):
    """Package to version, as on this machine."""
    lines = (line.rstrip("\\ ") for line in path.read_text().splitlines() if line[:1].isalnum())
    wanted = [Requirement(line) for line in lines]
    return {
        each.name: str(each.specifier)
        for each in wanted
        if each.marker is None or each.marker.evaluate()
    }


CUDA = sorted((ROOT / "infra").glob("cuda-*.lock"))


@pytest.mark.parametrize("lock", CUDA, ids=lambda path: path.stem)
def test_what_a_gpu_machine_adds_agrees_with_the_locked_environment(lock):
    base, added = pins(ROOT / "requirements.lock"), pins(lock)
    assert [name for name in added if name not in base]
    assert {name: added[name] for name in added if name in base} == {
        name: base[name] for name in added if name in base
    }
    assert f"cuda-{lock.stem.removeprefix('cuda-')}" in (ROOT / "pyproject.toml").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("lock", CUDA, ids=lambda path: path.stem)
def test_both_locks_resolve_together(lock):
    command = [sys.executable, "-m", "uv", "pip", "install", "--dry-run", "--require-hashes"]
    command += ["--python", sys.executable, "-r", lock, "-r", ROOT / "requirements.lock"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "nvidia" in done.stderr
