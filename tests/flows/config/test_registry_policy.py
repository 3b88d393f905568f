from pathlib import Path

import pytest

from slimderm.components.common.errors import ParameterError
from slimderm.flows.config import layout
from slimderm.flows.config.registry_policy import read_registry

ROOT = Path(__file__).parents[3]


def write(folder, text):
    path = folder / "registry.yaml"
    path.write_text(text)
    return path


def test_the_registrys_file_is_read_with_its_defaults(tmp_path):
    found = read_registry(ROOT / "mlflow/registry.yaml")
    assert (found.model, found.aliases["champion"]) == ("slimderm", "champion")
    assert found.branches == ("main", "master")
    found = read_registry(write(tmp_path, "aliases: {champion: best}\ngates: {max_bytes: 5}"))
    assert (found.model, found.gates.max_bytes, found.gates.confidence) == ("slimderm", 5, 0.95)
    assert found.aliases == {"champion": "best", "challenger": "challenger"}


def test_the_policy_is_that_of_the_current_folder(tmp_path, monkeypatch):
    """An installed copy of the program has none beside its code."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParameterError, match=str(layout.REGISTRY_POLICY)):
        read_registry()
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow/registry.yaml").write_text("model: another")
    assert read_registry().model == "another"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gates: {max_byte: 5}", r":1: gates.max_byte: unknown key; expected one of balanced"),
        ("model: a\ngates: {confidence: 2}", r":2: gates.confidence: received 2"),
        ("gate: {}", r":1: gate: unknown section"),
        (
            "aliases: {winner: a}",
            r":1: aliases.winner: unknown key; expected one of challenger",
        ),
        ("aliases: {champion: 1}", r"aliases.champion: received 1, expected text"),
        ("branches: main", r":1: branches: received 'main'"),
        ("model: [a]", r":1: model: received \['a'\]"),
        ("gates: {", r"cannot be read as YAML"),
    ],
)
def test_a_fault_in_the_registrys_file_is_named_by_line(tmp_path, text, said):
    with pytest.raises(ParameterError, match=said):
        read_registry(write(tmp_path, text))
