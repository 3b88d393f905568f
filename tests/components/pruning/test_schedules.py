from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from components.errors import ParameterError
from components.pruning.acceptance import Verdict
from components.pruning.schedules import Step, algorithm2, explicit_path
from components.pruning.settings import PruneSettings
from components.pruning.widths import THIRD, Widths, prune

START = Widths((6, 16), (84, 120))


@dataclass
class Trained:
    metrics: Mapping[str, float]


class Trainer:
    """Trains nothing: the smallest first width, which a bar then accepts or not."""

    def __init__(self) -> None:
        self.calls: list[tuple[Widths, str, str | None]] = []

    def __call__(self, widths: Widths, notation: str, parent: Step | None) -> Trained:
        self.calls.append((widths, notation, parent.notation if parent else None))
        return Trained({"width": float(widths.convolutions[0])})


def at_least(width: float):
    return lambda metrics: Verdict(metrics["width"] >= width, "")


def names(steps) -> list[tuple[str, str | None, bool, int]]:
    return [(s.notation, s.parent, s.verdict.accepted, s.num_failures) for s in steps]


def test_failure_returns_to_the_last_accepted_and_takes_the_next_factor() -> None:
    steps = list(algorithm2(Widths((64,), (64,)), Trainer(), at_least(15)))
    assert names(steps) == [
        ("R0", None, True, 0),
        ("R1: 50%", "R0", True, 0),  # 32
        ("R2: 50%", "R1: 50%", True, 0),  # 16
        ("R3: 50%", "R2: 50%", False, 1),  # 8
        ("R2,R3: 50%,33%", "R2: 50%", False, 2),  # 10
    ]
    assert [step.widths.convolutions[0] for step in steps] == [64, 32, 16, 8, 10]
    assert [step.stopped for step in steps] == ["", "", "", "", "2 refusals in a row"]


def test_success_resets_the_failures_and_keeps_the_factor() -> None:
    steps = list(algorithm2(Widths((64,), (64,)), Trainer(), at_least(40)))
    assert names(steps) == [
        ("R0", None, True, 0),
        ("R1: 50%", "R0", False, 1),  # 32
        ("R1: 33%", "R0", True, 0),  # 42
        ("R2: 33%", "R1: 33%", False, 1),  # 28
        ("R1,R2: 33%,16.5%", "R1: 33%", False, 2),  # 35
    ]


def test_it_stops_when_the_factors_are_used_up() -> None:
    steps = list(algorithm2(Widths((64,), (64,)), Trainer(), at_least(60), max_failures=9))
    assert [step.notation for step in steps[1:]] == ["R1: 50%", "R1: 33%", "R1: 16.5%", "R1: 8.25%"]
    assert steps[-1].stopped == "every factor is used up"
    assert steps[-1].num_failures == 4


def test_it_stops_when_nothing_can_shrink() -> None:
    steps = list(algorithm2(Widths((4,), (2,)), Trainer(), at_least(0)))
    assert [step.widths.convolutions[0] for step in steps] == [4, 2, 1]
    assert steps[-1].stopped == "nothing can shrink any more"


def test_a_refused_start_ends_it_and_says_why() -> None:
    steps = list(algorithm2(START, Trainer(), at_least(99)))
    assert names(steps) == [("R0", None, False, 1)]
    assert "unpruned network is refused" in steps[0].stopped


def test_a_refused_start_may_be_pruned_all_the_same_as_a_first_failure() -> None:
    refuse = list(algorithm2(START, Trainer(), at_least(99), refused_start="prune"))
    assert names(refuse) == [("R0", None, False, 1), ("R1: 50%", "R0", False, 2)]

    def smaller_is_better(metrics: Mapping[str, float]) -> Verdict:
        return Verdict(metrics["width"] == 3, "")

    steps = list(algorithm2(START, Trainer(), smaller_is_better, refused_start="prune"))
    assert names(steps) == [
        ("R0", None, False, 1),
        ("R1: 50%", "R0", True, 0),
        ("R2: 50%", "R1: 50%", False, 1),
        ("R1,R2: 50%,33%", "R1: 50%", False, 2),
    ]


def test_each_step_knows_its_widths_factor_and_parent() -> None:
    trainer = Trainer()
    steps = list(algorithm2(START, trainer, at_least(3)))
    assert [step.index for step in steps] == list(range(len(steps)))
    assert steps[0].percent is None
    assert steps[1].percent == 50
    assert trainer.calls == [(s.widths, s.notation, s.parent) for s in steps]
    for step in steps[1:]:
        parent = next(other for other in steps if other.notation == step.parent)
        assert step.widths == prune(parent.widths, step.percent)
        assert step.percents == (*parent.percents, step.percent)


def test_steps_come_one_by_one() -> None:
    trainer = Trainer()
    steps = algorithm2(START, trainer, at_least(0))
    next(steps)
    assert len(trainer.calls) == 1


def test_bad_factors_are_refused_before_anything_is_trained() -> None:
    trainer = Trainer()
    with pytest.raises(ParameterError, match="pruning factor: received 100"):
        list(algorithm2(START, trainer, at_least(0), factors=(50, 100)))
    assert not trainer.calls


def test_explicit_paths_give_every_row_of_table_6() -> None:
    rows = ["R1: 50%", "R1: 33%", "R2: 33%"]
    lenet = list(explicit_path(START, Trainer(), at_least(0), rows))
    assert [s.notation for s in lenet] == ["R0", *rows]
    assert [s.parent for s in lenet] == [None, "R0", "R0", "R1: 33%"]
    alexnet = Widths((64, 192, 384, 384, 256), (1024, 1024))
    halved = list(explicit_path(alexnet, Trainer(), at_least(0), ["R1..R5: 50%"]))
    assert [s.notation for s in halved] == ["R0", *(f"R{i}: 50%" for i in range(1, 6))]
    assert halved[-1].widths == Widths((2, 6, 12, 12, 8), (32, 32))
    mixed = list(explicit_path(alexnet, Trainer(), at_least(0), ["R1,R2: 50%,33%", "R1: 33%"]))
    assert [s.notation for s in mixed] == ["R0", "R1: 50%", "R1,R2: 50%,33%", "R1: 33%"]


def test_shared_beginnings_are_trained_once_and_verdicts_do_not_matter() -> None:
    trainer = Trainer()
    paths = ["R2: 50%", "R1,R2: 50%,33%", (50, THIRD), "R0", "R1: 50%"]
    steps = list(explicit_path(START, trainer, at_least(99), paths))
    assert [call[1] for call in trainer.calls] == ["R0", "R1: 50%", "R2: 50%", "R1,R2: 50%,33%"]
    assert [step.num_failures for step in steps] == [1, 2, 3, 3]
    assert steps[-1].stopped == "the paths are complete"


def test_a_path_that_shrinks_nothing_is_refused_before_anything_is_trained() -> None:
    trainer = Trainer()
    with pytest.raises(ParameterError, match=r"'R3: 50%', whose iteration 3 shrinks nothing"):
        list(explicit_path(Widths((4,), (2,)), trainer, at_least(0), ["R3: 50%"]))
    assert not trainer.calls


def test_settings_default_to_the_paper_and_refuse_what_cannot_be() -> None:
    settings = PruneSettings()
    assert settings.factors == (50, THIRD, 16.5, 8.25)
    assert settings.bars_for("lenet5").validation == 0.75
    assert settings.bars_for("alexnet").validation == 0.80
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
        {"training_bar": 90},
    ):
        with pytest.raises(ParameterError):
            PruneSettings(**bad)
