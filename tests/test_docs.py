"""The how-to pages' Python runs as it stands."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest

from slimderm import load_slim

ROOT = Path(__file__).parents[1]


def run_blocks(page, folder, monkeypatch):
    """Run a page's Python in a folder; return its blocks and the names that they define."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(), flags=re.S)
    monkeypatch.chdir(folder)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, page, "exec"), names)
    return blocks, names


@pytest.mark.slow
def test_a_stranger_slims_a_model_of_their_own(tmp_path, monkeypatch, capsys):
    blocks, names = run_blocks("slim-your-own.md", tmp_path, monkeypatch)
    assert len(blocks) == 3
    assert len([line for line in blocks[0].splitlines() if line.strip()]) <= 10
    found = names["network"].predict(names["images"])
    np.testing.assert_allclose(found, np.asarray(names["binary"](names["images"])), atol=1e-5)
    assert "of its kernel is zero" in capsys.readouterr().out
    whole = 4 * names["model"].count_params()
    small, smaller = (tmp_path / name for name in ("small.slim", "smaller.slim"))
    assert smaller.stat().st_size < small.stat().st_size < whole
    assert smaller.stat().st_size < whole / 10
    again = load_slim(smaller)
    for old, new in zip(names["made"].model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(old), np.asarray(new))


@pytest.mark.slow
@pytest.mark.timeout(1800)  # MobileNetV2 is trained three times
def test_a_stranger_prunes_a_model_of_their_own(tmp_path, monkeypatch, capsys):
    blocks, names = run_blocks("prune-your-own.md", tmp_path, monkeypatch)
    text = (ROOT / "docs" / "prune-your-own.md").read_text()
    shown = re.search(r"```text\n(.*?)…", text, flags=re.S)
    assert names["taught"].model.count_params() == names["slim"].model.count_params()
    assert names["smaller"].model.count_params() == 7_057_210
    assert shown is not None
    printed = capsys.readouterr().out
    assert all(line.rstrip() in printed for line in shown[1].strip().splitlines())
    assert len([line for line in blocks[0].splitlines() if line.strip()]) <= 10
    small = keras.models.load_model(tmp_path / "small.keras", compile=False)
    assert small.count_params() < 0.3 * names["model"].count_params()
    assert names["fits"].model.count_params() <= 500_000
    steps = [line for line in printed.splitlines() if line.startswith("iterative 80%")]
    assert len(steps) == 2
    assert ": 16 to 8" in printed
    assert (tmp_path / ".cache/mine").is_dir()
