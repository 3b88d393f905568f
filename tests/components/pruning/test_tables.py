"""A criterion is added by one file and one line of the table; so is a schedule."""

import importlib
import sys

import numpy as np
import pytest

from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.criteria import table as criteria
from slimderm.components.pruning.method import CRITERIA, Budget, PruningMethod, PruningStep
from slimderm.components.pruning.pruner import prune
from slimderm.components.pruning.schedules import table as schedules
from slimderm.components.pruning.schedules.base import ScheduleSettings, StepResult
from slimderm.components.pruning.settings import PruneSettings
from slimderm.components.pruning.study_settings import StudySettings, parse_arm
from slimderm.flows.work.step_runner import StepRunner

BIASES = '''
"""Absolute bias."""

import numpy as np


def bias(evidence):
    for slot in evidence.graph.slots:
        if slot.variable is getattr(slot.layer, "bias", None):
            yield slot.labels, np.abs(np.asarray(slot.variable.value))
'''


@pytest.fixture
def bias(tmp_path, monkeypatch):
    """A criterion in a file of its own, named in the table."""
    (tmp_path / "bias.py").write_text(BIASES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "bias", raising=False)
    module = importlib.import_module("bias")
    monkeypatch.setitem(criteria.CRITERIA, "bias", criteria.CriterionEntry(module.bias))


def of_least_bias(model, path):
    """The first half of a layer's channels by absolute bias, worked out by numpy."""
    values = np.abs(model.get_layer(path).bias.numpy())
    return sorted(np.argsort(values, kind="stable")[: len(values) // 2].tolist())


def test_a_criterion_of_ones_own_prunes_a_model(bias, small):
    model = small()
    pruned = prune(model, ratio=0.5, criterion="bias")
    assert pruned.log["removed"]["d"] == of_least_bias(model, "d")
    assert pruned.log["removed"]["c"] == of_least_bias(model, "c")


class Run:
    """A trained network, as a step finds it."""

    key, full_record, metrics = "of the test", {}, {}

    def __init__(self, model):
        self.model = model

    def load(self):
        return self.model


class Trainer:
    """Trains nothing: hands on what the step made."""

    network = "small"

    def __init__(self, model, folder):
        self.model, self.folder, self.contents = model, folder, []

    def fit(self, title):
        return Run(self.model)

    def refit(self, content, make, title, *, train):
        self.contents.append(content)
        return Run(make(self.folder))


def test_a_criterion_of_ones_own_serves_a_pruning_step(bias, small, tmp_path):
    model = small()
    trainer = Trainer(model, tmp_path)
    runner = StepRunner(trainer, PruningMethod("bias", init="inherit"), train=None)
    unpruned = StepResult(0, "R0", None, None, runner(None, None, "R0"), verdict=None)
    pruned = runner(PruningStep(percent=50), unpruned, "R1: 50%")
    left = np.delete(model.get_layer("d").bias.numpy(), of_least_bias(model, "d"))
    np.testing.assert_array_equal(pruned.trained.load().get_layer("d").bias.numpy(), left)
    assert dict(pruned.sizes) == {
        name: size // 2 for name, size in unpruned.evaluation.sizes.items()
    }
    assert trainer.contents[0]["method"]["criterion"] == "bias"


def test_the_names_of_criteria_are_those_of_the_table(small):
    assert set(criteria.CRITERIA) == set(CRITERIA)
    for call in (
        criteria.get,
        PruningMethod,
        lambda name: prune(small(), ratio=0.5, criterion=name),
    ):
        with pytest.raises(
            ParameterError, match="criterion: received 'l7', expected one of l1, l2"
        ):
            call("l7")


def test_a_schedule_of_ones_own_is_found_by_its_name(monkeypatch):
    def twice(run_step, accept, settings):
        yield from (settings.ratio, settings.ratio)

    monkeypatch.setitem(schedules.SCHEDULES, "twice", schedules.ScheduleEntry(twice))
    assert list(schedules.get("twice")(None, None, ScheduleSettings(ratio=0.3))) == [0.3, 0.3]
    with pytest.raises(ParameterError, match="received 'twice', expected one of path, one_shot"):
        schedules.get_by_ratio("twice")


def test_unknown_schedules_are_refused_with_the_names_there_are():
    with pytest.raises(ParameterError, match="received 'thrice', expected one of algorithm2, path"):
        schedules.get("thrice")
    with pytest.raises(ParameterError, match="expected one of path, one_shot, iterative, layer"):
        schedules.get_by_ratio("algorithm2")


@pytest.mark.parametrize("name", ["iterative", "layerwise"])
def test_a_schedule_that_needs_a_ratio_says_so(name):
    with pytest.raises(ParameterError, match="ratio: received none"):
        list(schedules.get(name)(None, None, ScheduleSettings()))


@pytest.fixture
def own(monkeypatch):
    """A schedule that asks for factors, takes a budget and tests each step."""
    entry = schedules.ScheduleEntry(
        lambda run_step, accept, settings: iter(()),
        needs={"factors": "some"},
        takes_budget=True,
        several_steps=True,
        tests_each_step=True,
    )
    monkeypatch.setitem(schedules.SCHEDULES, "own", entry)


def test_settings_ask_of_a_schedule_of_ones_own_what_its_line_says(own):
    settings = PruneSettings(schedule="own", budget={"parameters": 100})
    assert settings.for_schedule().budget == Budget("parameters", 100)
    assert settings.tests_each_step
    with pytest.raises(ParameterError, match="factors: received none, expected some"):
        PruneSettings(schedule="own", factors=())
    with pytest.raises(ParameterError, match="expected schedule one_shot or own"):
        PruneSettings(schedule="path", path=("R1: 50%",), budget={"parameters": 100})
    study = StudySettings(fine_tune_epochs=12, num_steps=4)
    assert study.epochs_per_step("own", parse_arm("l1 inherit")) == 3


def test_schedules_read_every_setting_of_theirs_in_the_section():
    settings = PruneSettings(
        acceptance="validation",
        ratio=0.25,
        num_steps=7,
        spacing="cubic",
        path=("R2: 33%",),
        factors=(20.0,),
        max_failures=5,
        max_prunings=6,
        refused_start="prune",
    )
    assert settings.for_schedule() == ScheduleSettings(
        ratio=0.25,
        num_steps=7,
        spacing="cubic",
        path=("R2: 33%",),
        factors=(20.0,),
        max_failures=5,
        max_prunings=6,
        refused_start="prune",
    )


@pytest.mark.parametrize(
    ("acceptance", "schedule", "expected"),
    [
        ("validation", "algorithm2", False),
        ("relative", "one_shot", False),
        ("paper", "algorithm2", True),
        ("validation", "path", True),
    ],
)
def test_the_test_part_waits_unless_the_rule_or_the_schedule_needs_it(
    acceptance, schedule, expected
):
    settings = PruneSettings(acceptance=acceptance, schedule=schedule, path=("R1: 50%",))
    assert settings.tests_each_step is expected
