"""The code behind a result, read from the imports."""

from pathlib import Path

import pytest

from slimderm.flows.base import code
from slimderm.flows.base.code import code_behind, code_hash, source_of
from slimderm.flows.steps.table import STAGES


def test_what_records_a_result_is_not_the_code_behind_it():
    behind = code_behind("slimderm.flows.steps.train")
    assert "slimderm.flows.work.training" in behind
    assert "slimderm.components.model_graph.cost" in behind  # imported inside a function
    assert not [m for m in behind if m.startswith(("slimderm.flows.record", "slimderm.flows.base"))]
    assert "slimderm.components.pruning.pruner" not in behind


@pytest.mark.parametrize("room", code.WIRING)
def test_every_room_of_the_wiring_is_reached(room, monkeypatch):
    """A line that no step or work module leads to says nothing."""
    monkeypatch.setattr(code, "WIRING", tuple(other for other in code.WIRING if other != room))
    steps = [f"slimderm.flows.steps.{name}" for name in STAGES]
    behind = set[str]().union(*map(code_behind, steps))
    assert [module for module in behind if module == room or module.startswith(f"{room}.")]


def test_the_hash_of_code_changes_with_what_it_imports(monkeypatch):
    """A baseline's record holds the cost model's figures: a changed cost model makes it anew."""
    before = code_hash("slimderm.flows.work.training")
    assert before == code_hash("slimderm.flows.work.training")
    assert before != code_hash("slimderm.flows.work.step_runner")
    cost = source_of("slimderm.components.model_graph.cost")
    real = code.file_hash
    monkeypatch.setattr(code, "file_hash", lambda p: "other" if Path(p) == cost else real(p))
    assert before != code_hash("slimderm.flows.work.training")
    assert code_hash("slimderm.flows.work.compression") == _unchanged(monkeypatch, code, real)


def _unchanged(monkeypatch, code, real):
    monkeypatch.setattr(code, "file_hash", real)
    return code_hash("slimderm.flows.work.compression")
