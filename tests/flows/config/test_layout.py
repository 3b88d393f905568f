"""Every path of the workspace stands in one module."""

import ast
from pathlib import Path

import pytest

from slimderm.flows.base.code import ROOT
from slimderm.flows.config import layout

PATHS = {str(value) for value in vars(layout).values() if isinstance(value, Path)}
FILES = [file for file in (ROOT / "flows").rglob("*.py") if file.name != "layout.py"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_other_module_writes_out_a_path_of_the_workspace(file):
    calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
    names = {
        argument.value
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id in ("Path", "open", "write_text")
        for argument in call.args[:1]
        if isinstance(argument, ast.Constant)
    }
    assert not names & PATHS
    assert not [name for name in names if "/" in str(name)]
