"""The how-to page's Python runs as it stands."""

import re
from pathlib import Path

import keras
import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.timeout(900)  # MobileNetV2 is trained four times
def test_a_stranger_prunes_a_model_of_their_own(tmp_path, monkeypatch, capsys):
    text = (ROOT / "docs" / "prune-your-own.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.S)
    shown = re.search(r"```text\n(.*?)…", text, flags=re.S)
    assert len(blocks) == 4
    assert shown is not None
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "prune-your-own.md", "exec"), names)
    printed = capsys.readouterr().out
    assert all(line.rstrip() in printed for line in shown[1].strip().splitlines())
    assert len([line for line in blocks[0].splitlines() if line.strip()]) <= 10
    small = keras.models.load_model(tmp_path / "small.keras", compile=False)
    assert small.count_params() < 0.3 * names["model"].count_params()
    assert names["fits"].model.count_params() <= 500_000
    steps = [line for line in printed.splitlines() if line.startswith("iterative 80%")]
    assert len(steps) == 3
    assert (tmp_path / ".cache/mine").is_dir()
