"""dvc.yaml against the code: a stage that leaves out code it runs would go stale in silence."""

import pytest
import yaml
from prefect import Flow

from slimderm.flows.base.code import ROOT, code_behind, source_of
from slimderm.flows.steps.table import STAGES

DESCRIBED = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def described(name):
    return DESCRIBED[name].get("do", DESCRIBED[name])


@pytest.mark.parametrize("name", STAGES)
def test_every_module_a_stage_runs_is_among_its_deps(name):
    deps = [ROOT / dep for dep in described(name)["deps"]]
    files = {source_of(m) for m in code_behind(f"slimderm.flows.steps.{name}")}
    files = {file for file in files if file.name != "__init__.py"}
    assert files
    assert not [file for file in files if not {file, *file.parents} & set(deps)]


@pytest.mark.parametrize("name", STAGES)
def test_every_dependency_on_code_is_there_and_used(name):
    files = {source_of(m) for m in code_behind(f"slimderm.flows.steps.{name}")}
    used = {path for file in files for path in (file, *file.parents)}
    for dep in described(name)["deps"]:
        if dep.startswith(("components", "flows")) and not dep.startswith("flows/record"):
            assert ROOT / dep in used, dep


def test_every_stage_is_described_and_runs_by_its_name():
    assert set(STAGES) == set(DESCRIBED)
    for name, stage in STAGES.items():
        assert described(name)["cmd"].split()[:4] == ["python", "-m", "slimderm.flows.steps", name]
        flow = stage.load()
        assert isinstance(flow, Flow)
        assert flow.fn.__module__ == f"slimderm.flows.steps.{name}"
