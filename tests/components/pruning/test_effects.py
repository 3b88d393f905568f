"""Parameters that have no effect together: what is said of them, beside what really happens."""

import contextlib
import itertools
from dataclasses import fields

import keras
import numpy as np
import pytest

from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.apply_step import apply_step
from slimderm.components.pruning.effects import ruled_out
from slimderm.components.pruning.method import Limits, PruningMethod, PruningStep
from slimderm.components.pruning.schedules.base import ScheduleSettings
from slimderm.components.pruning.schedules.table import SCHEDULES
from slimderm.components.pruning.settings import PruneSettings


@pytest.fixture(scope="module")
def model():
    """Two convolutions, one with scores far apart, so that a threshold shrinks it more."""
    rng = np.random.default_rng(0)
    image = keras.Input((6, 6, 1))
    found = keras.layers.Conv2D(8, 3, name="alike")(image)
    found = keras.layers.Conv2D(8, 3, name="apart")(found)
    network = keras.Model(image, keras.layers.Dense(2, name="head")(keras.layers.Flatten()(found)))
    for name, largest in (("alike", 1.2), ("apart", 9)):
        layer = network.get_layer(name)
        values = rng.choice((-1, 1), layer.kernel.shape) * np.geomspace(1, largest, 8)
        layer.kernel.assign(values)
    return network


@pytest.mark.parametrize(
    ("init", "scope", "masks"),
    [*itertools.product(("scratch", "inherit"), ("local", "global"), (False,)),
     ("inherit", "local", True), ("inherit", "global", True)],
)  # fmt: skip
def test_a_criterion_matters_where_it_is_said_to(model, tmp_path, init, scope, masks):
    how = {"init": init, "scope": scope, "masks": masks, "limits": Limits(keep=("head",))}
    made = []
    for criterion in ("uninformed", "l1"):
        method = PruningMethod(criterion=criterion, **how)
        left = apply_step(model, PruningStep(percent=50), method, tmp_path)
        made.append([np.asarray(weight) for weight in left.get_weights()])
    same = all(np.array_equal(*pair) for pair in zip(*made, strict=True) if pair)
    assert method.scores_matter is not same
    assert (method.in_effect().criterion == "l1") is not same


class Watched:
    """Settings that note what is read of them."""

    def __init__(self, settings):
        self.settings, self.read = settings, set()

    def __getattr__(self, name):
        self.read.add(name)
        return getattr(self.settings, name)


class EnoughError(Exception):
    pass


def stop(*_):
    raise EnoughError


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_reads_what_its_line_says(name):
    entry = SCHEDULES[name]
    watched = Watched(PruneSettings(schedule=name, path=("R1: 50%",)).for_schedule())
    with contextlib.suppress(EnoughError):
        list(entry.steps(stop, stop, watched))
    shared = {field.name for field in fields(ScheduleSettings)} & set(PruneSettings.__annotations__)
    assert watched.read & shared == set(entry.reads)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({}, {}),
        ({"ratio": 0.3}, {"ratio": "schedule algorithm2"}),
        ({"schedule": "one_shot", "ratio": 0.3}, {}),
        (
            {"schedule": "one_shot", "ratio": 0.3, "budget": {"bytes": 9}},
            {"ratio": "a budget"},
        ),
        ({"schedule": "one_shot", "factors": (9,)}, {"factors": "schedule one_shot"}),
        ({"test_tolerance": 0.1}, {"test_tolerance": "acceptance noninferior"}),
        ({"test_tolerance": 0.1, "acceptance": "paper"}, {}),
        ({"aggregate": "max"}, {"aggregate": "init scratch and scope local"}),
        ({"aggregate": "max", "scope": "global"}, {}),
        ({"fine_tune_epochs": 3}, {"fine_tune_epochs": "init scratch"}),
        (
            {"criterion": "l1", "init": "inherit", "data_batches": 2},
            {"data_batches": "criterion l1"},
        ),
        ({"criterion": "taylor", "init": "inherit", "data_batches": 2}, {}),
    ],
)  # fmt: skip
def test_what_is_set_and_has_no_effect_is_named(values, named):
    settings = PruneSettings(**values)
    wanted = [f"prune.{name} has no effect with {reason}" for name, reason in named.items()]
    assert settings.without_effect() == wanted
    assert not named.keys() & settings.in_effect().keys()
    assert settings.in_effect().keys() == set(PruneSettings.__annotations__) - set(
        ruled_out(settings)
    )


@pytest.mark.parametrize("criterion", ["l1", "taylor"])
def test_a_criterion_that_would_be_ignored_is_refused(criterion):
    with pytest.raises(ParameterError, match=f"received {criterion} with init scratch and scope"):
        PruneSettings(criterion=criterion)
    PruneSettings(criterion=criterion, init="inherit")
    PruneSettings(criterion=criterion, scope="global")
