"""dvc.yaml against the code: a stage that leaves out code it runs would go stale in silence."""

import pkgutil
import typing
from pathlib import Path

import grimp
import pytest
import yaml
from prefect import Flow

from flows.pipeline import StepName
from flows.steps import STEPS

ROOT = Path(__file__).parents[2]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
# What records a step or prints about it, and what holds no computation.
WIRING = {
    "flows.params",
    "flows.sections",
    "flows.registry_settings",
    "flows.steps",
    "flows.inputs",
    "flows.runtime",
    "flows.patience",
    "flows.ledger",
    "flows.repository",
    "flows.versions",
    "flows.tracking",
    "flows.runs",
    "flows.engines",
}
PLAIN = {"components.errors", "components.settings", "components"}


def stage_of(name):
    return STAGES[name].get("do", STAGES[name])


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph("flows", "components", cache_dir=None)


def code_behind(graph, module):
    """Modules that a step runs: its own imports, followed through everything but the wiring."""
    seen, waiting = set(), [module]
    while waiting:
        current = waiting.pop()
        if current in seen or current in WIRING | PLAIN:
            continue
        seen.add(current)
        waiting += graph.find_modules_directly_imported_by(current)
    return seen


def covered(module, deps):
    place = Path(*module.split("."))
    return any(Path(dep) in (place, place.with_suffix(".py"), *place.parents) for dep in deps)


@pytest.mark.parametrize("name", STAGES)
def test_every_module_a_stage_runs_is_among_its_deps(graph, name):
    deps = stage_of(name)["deps"]
    missing = {m for m in code_behind(graph, f"flows.{name}") if not covered(m, deps)}
    assert not missing


@pytest.mark.parametrize("name", STAGES)
def test_every_dependency_on_code_exists(name):
    for dep in stage_of(name)["deps"]:
        if dep.startswith(("components", "flows")):
            assert (ROOT / dep).exists(), dep


def test_every_stage_is_a_step_and_runs_its_own_module():
    assert set(STEPS) == set(STAGES) == set(typing.get_args(StepName))
    for name in STAGES:
        assert stage_of(name)["cmd"].split()[:3] == ["python", "-m", f"flows.{name}"]
        step = pkgutil.resolve_name(STEPS[name])
        assert isinstance(step, Flow)
        assert step.fn.__module__ == f"flows.{name}"
