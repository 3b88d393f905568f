from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.acceptance import get as get_acceptance
from slimderm.components.pruning.method import Budget, PruningStep
from slimderm.components.pruning.schedules.algorithm2 import algorithm2
from slimderm.components.pruning.schedules.iterative import iterative, totals
from slimderm.components.pruning.schedules.layerwise import layerwise
from slimderm.components.pruning.schedules.one_shot import one_shot
from slimderm.components.pruning.schedules.path import explicit_path
from slimderm.components.pruning.schedules.table import get
from slimderm.components.pruning.settings import PruneSettings
from slimderm.components.pruning.verdict import Case, Verdict
from slimderm.components.pruning.widths import THIRD, kept_of


@dataclass
class Trained:
    metrics: Mapping[str, float]
    sizes: Mapping[str, int]


class Trainer:
    """Trains nothing: the first group's size, which a threshold then accepts or not."""

    def __init__(self, **sizes: int) -> None:
        self.sizes = sizes or {"conv1": 6, "conv2": 16, "dense1": 84, "dense2": 120}
        self.calls: list[tuple[PruningStep | None, str | None, str]] = []

    def __call__(self, pruning_step, parent, notation) -> Trained:
        self.calls.append((pruning_step, parent.notation if parent else None, notation))
        sizes = dict(parent.evaluation.sizes if parent else self.sizes)
        for name in (pruning_step.layers or sizes) if pruning_step else ():
            if pruning_step.percent is not None:
                sizes[name] = kept_of(sizes[name], pruning_step.percent)
            elif pruning_step.total is not None:
                sizes[name] = int(self.sizes[name] * (1 - pruning_step.total) + 1e-9)
        return Trained({"width": float(next(iter(sizes.values())))}, sizes)


def at_least(width: float):
    return lambda trained, parent: Verdict(trained.metrics["width"] >= width, "")


def names(steps) -> list[tuple[str, str | None, bool, int]]:
    return [(s.notation, s.parent, s.verdict.accepted, s.num_failures) for s in steps]


def test_failure_returns_to_the_last_accepted_and_takes_the_next_factor() -> None:
    steps = list(algorithm2(Trainer(a=64), at_least(15)))
    assert names(steps) == [
        ("R0", None, True, 0),
        ("R1: 50%", "R0", True, 0),  # 32
        ("R2: 50%", "R1: 50%", True, 0),  # 16
        ("R3: 50%", "R2: 50%", False, 1),  # 8
        ("R2,R3: 50%,33%", "R2: 50%", False, 2),  # 10
    ]
    assert [step.evaluation.sizes["a"] for step in steps] == [64, 32, 16, 8, 10]
    assert [step.stopped for step in steps] == ["", "", "", "", "2 refusals in a row"]


def test_success_resets_the_failures_and_keeps_the_factor() -> None:
    steps = list(algorithm2(Trainer(a=64), at_least(40)))
    assert names(steps) == [
        ("R0", None, True, 0),
        ("R1: 50%", "R0", False, 1),  # 32
        ("R1: 33%", "R0", True, 0),  # 42
        ("R2: 33%", "R1: 33%", False, 1),  # 28
        ("R1,R2: 33%,16.5%", "R1: 33%", False, 2),  # 35
    ]


def test_it_stops_when_the_factors_are_used_up() -> None:
    steps = list(algorithm2(Trainer(a=64), at_least(60), max_failures=9))
    assert [step.notation for step in steps[1:]] == ["R1: 50%", "R1: 33%", "R1: 16.5%", "R1: 8.25%"]
    assert steps[-1].stopped == "every factor is used up"
    assert steps[-1].num_failures == 4


def test_it_stops_after_as_many_prunings_as_were_asked_for() -> None:
    steps = list(algorithm2(Trainer(a=64), at_least(40), max_prunings=3))
    assert [step.notation for step in steps] == ["R0", "R1: 50%", "R1: 33%", "R2: 33%"]
    assert steps[-1].stopped == "3 prunings, the most that were asked for"
    whole = list(algorithm2(Trainer(a=64), at_least(40), max_prunings=4))
    assert whole[-1].stopped == "2 refusals in a row"


def test_it_stops_when_nothing_can_shrink() -> None:
    steps = list(algorithm2(Trainer(a=4, b=2), at_least(0)))
    assert [step.evaluation.sizes["a"] for step in steps] == [4, 2, 1]
    assert steps[-1].stopped == "nothing can shrink any more"


def test_a_refused_start_ends_it_and_says_why() -> None:
    steps = list(algorithm2(Trainer(), at_least(99)))
    assert names(steps) == [("R0", None, False, 0)]
    assert "unpruned network is refused" in steps[0].stopped


def test_a_refused_start_may_be_pruned_all_the_same_and_is_no_failure() -> None:
    refuse = list(algorithm2(Trainer(), at_least(99), refused_start="prune"))
    assert names(refuse) == [
        ("R0", None, False, 0),
        ("R1: 50%", "R0", False, 1),
        ("R1: 33%", "R0", False, 2),
    ]

    def smaller_is_better(trained: Trained, parent) -> Verdict:
        return Verdict(trained.metrics["width"] == 3, "")

    steps = list(algorithm2(Trainer(), smaller_is_better, refused_start="prune"))
    assert names(steps) == [
        ("R0", None, False, 0),
        ("R1: 50%", "R0", True, 0),
        ("R2: 50%", "R1: 50%", False, 1),
        ("R1,R2: 50%,33%", "R1: 50%", False, 2),
    ]


def test_the_papers_own_lenet5_numbers_try_33_per_cent_too() -> None:
    """Tables 4, 5 and 6: accuracy, precision, recall on test, for training the text's "met"."""
    met = {"train_accuracy": 0.9866, "train_precision": 0.9872}
    met |= {"validation_accuracy": 0.7755, "validation_precision": 0.7831}
    tested = {
        "original": (0.7222, 0.7173, 0.7176),
        "R0": (0.6972, 0.7069, 0.6925),
        "R1: 50%": (0.6722, 0.6690, 0.6674),
        "R1: 33%": (0.6888, 0.6968, 0.6833),
    }
    metrics = {
        name: met | dict(zip(("test_accuracy", "test_precision", "test_recall"), row, strict=True))
        for name, row in tested.items()
    }
    settings = PruneSettings(acceptance="paper", refused_start="prune")
    judge = get_acceptance(settings.acceptance).judge

    def run(pruning_step, parent, notation) -> Trained:
        sizes = Trainer()(pruning_step, parent, notation).sizes
        return Trained(metrics[notation], sizes)

    def accept(found, parent):
        case = Case(
            metrics=found.metrics,
            baseline=metrics["original"],
            thresholds=settings.thresholds_for("lenet5"),
        )
        return judge(case)

    steps = list(get("algorithm2")(run, accept, settings.for_schedule()))
    assert names(steps) == [
        ("R0", None, False, 0),
        ("R1: 50%", "R0", False, 1),
        ("R1: 33%", "R0", False, 2),
    ]
    assert "test_accuracy 0.6972 < 0.7022" in steps[0].verdict.reason
    assert steps[-1].stopped == "2 refusals in a row"


def test_each_step_knows_its_cut_and_parent() -> None:
    trainer = Trainer()
    steps = list(algorithm2(trainer, at_least(3)))
    assert [step.index for step in steps] == list(range(len(steps)))
    assert steps[0].pruning_step is None
    assert steps[1].pruning_step == PruningStep(percent=50)
    assert trainer.calls == [(s.pruning_step, s.parent, s.notation) for s in steps]
    for step in steps[1:]:
        parent = next(other for other in steps if other.notation == step.parent)
        assert step.percents == (*parent.percents, step.pruning_step.percent)


def test_steps_come_one_by_one() -> None:
    trainer = Trainer()
    steps = algorithm2(trainer, at_least(0))
    next(steps)
    assert len(trainer.calls) == 1


def test_bad_factors_are_refused_before_anything_is_trained() -> None:
    trainer = Trainer()
    with pytest.raises(ParameterError, match="pruning factor: received 100"):
        list(algorithm2(trainer, at_least(0), factors=(50, 100)))
    with pytest.raises(ParameterError, match="pruning factor: received 1"):
        list(explicit_path(trainer, at_least(0), [(1,)]))
    assert not trainer.calls


def test_explicit_paths_give_every_row_of_table_6() -> None:
    rows = ["R1: 50%", "R1: 33%", "R2: 33%"]
    lenet = list(explicit_path(Trainer(), at_least(0), rows))
    assert [s.notation for s in lenet] == ["R0", *rows]
    assert [s.parent for s in lenet] == [None, "R0", "R0", "R1: 33%"]
    alexnet = {"a": 64, "b": 192, "c": 384, "d": 384, "e": 256, "f": 1024, "g": 1024}
    halved = list(explicit_path(Trainer(**alexnet), at_least(0), ["R1..R5: 50%"]))
    assert [s.notation for s in halved] == ["R0", *(f"R{i}: 50%" for i in range(1, 6))]
    assert list(halved[-1].evaluation.sizes.values()) == [2, 6, 12, 12, 8, 32, 32]
    mixed = list(explicit_path(Trainer(), at_least(0), ["R1,R2: 50%,33%", "R1: 33%"]))
    assert [s.notation for s in mixed] == ["R0", "R1: 50%", "R1,R2: 50%,33%", "R1: 33%"]


def test_shared_beginnings_are_trained_once_and_verdicts_do_not_matter() -> None:
    trainer = Trainer()
    paths = ["R2: 50%", "R1,R2: 50%,33%", (50, THIRD), "R0", "R1: 50%"]
    steps = list(explicit_path(trainer, at_least(99), paths))
    assert [call[2] for call in trainer.calls] == ["R0", "R1: 50%", "R2: 50%", "R1,R2: 50%,33%"]
    assert [step.num_failures for step in steps] == [0, 1, 2, 2]
    assert steps[-1].stopped == "all pruning steps are done"


def test_a_path_that_shrinks_nothing_is_refused_where_it_does() -> None:
    trainer = Trainer(a=4, b=2)
    with pytest.raises(ParameterError, match=r"'R3: 50%', whose last iteration shrinks nothing"):
        list(explicit_path(trainer, at_least(0), ["R3: 50%"]))
    assert len(trainer.calls) == 3


class Stuck(Trainer):
    """Floors or a multiple keep every width, whatever the pruning step says."""

    def __call__(self, pruning_step, parent, notation) -> Trained:
        return super().__call__(None, parent, notation)


def test_cuts_that_floors_undo_end_a_schedule() -> None:
    steps = list(algorithm2(trainer := Stuck(), at_least(0)))
    assert [step.stopped for step in steps] == ["", "nothing can shrink any more"]
    assert len(trainer.calls) == 2
    with pytest.raises(ParameterError, match="lower floors and multiple"):
        list(explicit_path(Stuck(), at_least(0), ["R3: 50%"]))


def test_one_shot_cuts_once_to_a_ratio_or_to_a_budget() -> None:
    steps = list(one_shot(Trainer(), at_least(99), ratio=0.8))
    assert names(steps) == [("R0", None, False, 0), ("one-shot 80%", "R0", False, 1)]
    assert steps[-1].pruning_step == PruningStep(total=0.8)
    budget = Budget("parameters", 1000)
    steps = list(one_shot(Trainer(), at_least(0), budget=budget))
    assert (steps[-1].notation, steps[-1].pruning_step) == (
        "parameters 1000",
        PruningStep(budget=budget),
    )
    for bad in ({}, {"ratio": 1.0}, {"ratio": 0.5, "budget": budget}):
        with pytest.raises(ParameterError):
            list(one_shot(Trainer(), at_least(0), **bad))


@pytest.mark.parametrize(
    ("spacing", "expected"),
    [
        ("constant", [0.28, 0.56, 0.84]),
        ("geometric", [1 - 0.16 ** (1 / 3), 1 - 0.16 ** (2 / 3), 0.84]),
        ("cubic", [0.84 * 19 / 27, 0.84 * 26 / 27, 0.84]),
    ],
)
def test_iterations_are_spaced_by_hand(spacing, expected) -> None:
    assert totals(0.84, 3, spacing) == pytest.approx(expected)
    steps = list(iterative(Trainer(), at_least(0), ratio=0.84, num_steps=3, spacing=spacing))
    assert [step.pruning_step.total for step in steps[1:]] == pytest.approx(expected)
    assert totals(0.8, 2, "cubic")[0] == 0.7
    assert totals(0.51, 2, "geometric")[0] == 0.3
    assert [step.parent for step in steps[2:]] == [step.notation for step in steps[1:-1]]
    with pytest.raises(ParameterError, match="iterative: received 0 steps"):
        totals(0.5, 0, spacing)


def test_layers_are_cut_one_after_the_other_or_in_parts() -> None:
    steps = list(layerwise(Trainer(), at_least(0), ratio=0.5))
    assert [step.pruning_step.layers for step in steps[1:]] == [
        ("conv1",), ("conv2",), ("dense1",), ("dense2",)
    ]  # fmt: skip
    assert dict(steps[-1].evaluation.sizes) == {
        "conv1": 3, "conv2": 8, "dense1": 42, "dense2": 60
    }  # fmt: skip
    parts = list(layerwise(Trainer(), at_least(0), ratio=0.5, num_parts=3))
    assert [step.pruning_step.layers for step in parts[1:]] == [
        ("conv1",), ("conv2",), ("dense1", "dense2")
    ]  # fmt: skip
    assert parts[-1].evaluation.sizes == steps[-1].evaluation.sizes
    assert [step.stopped for step in parts] == ["", "", "", "all pruning steps are done"]


def test_settings_default_to_the_paper_and_refuse_what_cannot_be() -> None:
    settings = PruneSettings()
    assert settings.factors == (50, THIRD, 16.5, 8.25)
    assert settings.thresholds_for("lenet5").validation == 0.75
    assert settings.thresholds_for("alexnet").validation == 0.80
    method = settings.method(("tail",), 3)
    assert (method.criterion, method.init, method.limits.keep) == (
        "uninformed", "scratch", ("tail",)
    )  # fmt: skip
    assert PruneSettings(schedule="one_shot", budget={"bytes": 9.0}).target() == Budget("bytes", 9)
    for bad in (
        {"factors": (50, 100)},
        {"factors": (1,)},
        {"factors": (float("nan"),)},
        {"factors": ()},
        {"schedule": "path"},
        {"path": ("R1: fifty",)},
        {"acceptance": "lenient"},
        {"max_failures": 0},
        {"refused_start": "maybe"},
        {"training_threshold": 90},
        {"criterion": "l7"},
        {"scope": "both"},
        {"ratio": 1.0},
        {"budget": {"bytes": 9.0}},
        {"schedule": "one_shot", "budget": {"bytes": 9.0, "parameters": 9.0}},
        {"schedule": "one_shot", "budget": {"weight": 9.0}},
        {"floors": {"conv1": 0}},
        {"multiple": 0},
    ):
        with pytest.raises(ParameterError):
            PruneSettings(**bad)


def told(*words: str):
    """Verdicts in this order."""
    given = iter(words)

    def accept(trained, parent) -> Verdict:
        word = next(given)
        return Verdict(word in {"reference", "non-inferior"}, "", word)

    return accept


def test_what_nobody_can_tell_takes_the_next_factor_and_is_no_failure() -> None:
    accept = told(
        "reference", "inconclusive", "inferior", "inconclusive", "non-inferior", "inferior"
    )
    steps = list(algorithm2(Trainer(a=64), accept))
    assert names(steps) == [
        ("R0", None, True, 0),
        ("R1: 50%", "R0", False, 0),
        ("R1: 33%", "R0", False, 1),
        ("R1: 16.5%", "R0", False, 1),
        ("R1: 8.25%", "R0", True, 0),
        ("R2: 8.25%", "R1: 8.25%", False, 1),
    ]
    assert steps[-1].stopped == "every factor is used up"
    nobody = list(algorithm2(Trainer(a=64), told("reference", *["inconclusive"] * 9)))
    assert [step.num_failures for step in nobody] == [0] * 5
    assert nobody[-1].stopped == "every factor is used up"


@pytest.mark.parametrize(
    "steps",
    [
        lambda accept: explicit_path(Trainer(), accept, ["R1..R2: 50%"]),
        lambda accept: iterative(Trainer(), accept, ratio=0.5, num_steps=2),
        lambda accept: layerwise(Trainer(), accept, ratio=0.5, num_parts=2),
        lambda accept: one_shot(Trainer(), accept, ratio=0.5),
    ],
    ids=["path", "iterative", "layerwise", "one_shot"],
)
def test_every_schedule_goes_on_after_each_verdict_and_tells_the_parents(steps) -> None:
    for first, failures in (("inconclusive", 0), ("inferior", 1), ("non-inferior", 0)):
        given, parents = told("reference", first, "inferior"), []

        def accept(trained, parent, given=given, parents=parents) -> Verdict:
            parents.append(parent and parent.verdict.word)
            return given(trained, parent)

        done = list(steps(accept))
        assert parents == [None, "reference", first][: len(done)]
        assert [step.num_failures for step in done] == [0, failures, failures + 1][: len(done)]
