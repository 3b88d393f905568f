"""The rule noninferior: three verdicts, seeds, a fixed order, the family's error."""

import numpy as np
import pytest

from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.acceptance import get
from slimderm.components.pruning.noninferior import noninferior
from slimderm.components.pruning.schedules import algorithm2, path, table
from slimderm.components.pruning.schedules.base import ScheduleSettings
from slimderm.components.pruning.settings import PruneSettings
from slimderm.components.pruning.verdict import Case, Demands, Validation, Verdict

REFERENCE = Verdict(True, "", "reference")


def part(per_class):
    return np.repeat([0, 1, 2], per_class)


def network(labels, share, seed, melanoma_share=None):
    """One-hot predictions that are right in a share of the images of each class."""
    random = np.random.default_rng(seed)
    needed = np.where(labels == 1, share if melanoma_share is None else melanoma_share, share)
    right = random.random(len(labels)) < needed
    return np.eye(3)[np.where(right, labels, (labels + 1) % 3)]


def case(labels, predict, parent=REFERENCE, **demands):
    lesions = np.arange(len(labels)).astype(str)
    validation = Validation(labels, lesions, 3, predict, melanoma=1)
    return Case({}, demands=Demands(**demands), validation=validation, parent=parent)


def pairs(labels, share, asked, **melanoma):
    def predict(number):
        asked.append(number)
        own = network(labels, share, 2 * number + 11, **melanoma)
        return own, network(labels, 0.8, 2 * number + 10)

    return predict


@pytest.mark.parametrize(
    ("per_class", "share", "word", "seeds"),
    [
        (600, 0.8, "non-inferior", [0]),
        (600, 0.6, "inferior", [0]),
        (15, 0.8, "inconclusive", [0, 1, 2]),
    ],
)
def test_another_seed_is_tried_only_while_nothing_can_be_told(per_class, share, word, seeds):
    labels, asked = part(per_class), []
    verdict = get("noninferior").judge(case(labels, pairs(labels, share, asked)))
    assert asked == seeds
    assert verdict.word == word
    assert verdict.accepted == (word == "non-inferior")
    assert verdict.failed == (word == "inferior")
    assert f"{len(seeds)} training seed" in verdict.reason


def test_seeds_that_are_pooled_tell_what_one_cannot():
    labels, asked = part(100), []
    verdict = noninferior(case(labels, pairs(labels, 0.8, asked), max_seeds=6))
    assert verdict.word == "non-inferior"
    assert 1 < len(asked) <= 6


def test_melanomas_alone_can_refuse():
    labels = part(600)
    verdict = noninferior(case(labels, pairs(labels, 0.9, [], melanoma_share=0.6)))
    assert verdict.word == "inferior"
    assert "balanced_accuracy 0." in verdict.reason
    assert "margin 0.1: inferior" in verdict.reason


def test_the_unpruned_network_is_refused_at_chance_only():
    labels = part(60)
    for share, accepted in ((0.5, True), (1 / 3, False)):
        own = network(labels, share, 0)
        verdict = noninferior(case(labels, lambda number, own=own: (own, own), parent=None))
        assert verdict.accepted == accepted
        assert verdict.word == ("reference" if accepted else "refused")
        assert verdict.failed != accepted
    assert "cannot be told from chance, 0.333" in verdict.reason


def test_nothing_is_compared_below_what_was_not_accepted():
    labels, asked = part(600), []
    parent = Verdict(False, "", "inconclusive")
    verdict = noninferior(case(labels, pairs(labels, 0.8, asked), parent=parent))
    assert (verdict.word, asked) == ("inconclusive", [])
    assert "the order along a branch is fixed" in verdict.reason


def test_it_needs_predictions():
    with pytest.raises(ParameterError, match="received no validation predictions"):
        noninferior(Case({}))


def test_the_error_is_divided_over_branches_and_looks():
    demands = Demands(confidence=0.9, num_branches=5, max_seeds=2)
    assert demands.error == pytest.approx(0.005)
    settings = ScheduleSettings(factors=(50, 33, 16), path=("R1..R2: 50%", "R1: 33%", "R2: 33%"))
    branches = {name: entry.num_branches(settings) for name, entry in table.SCHEDULES.items()}
    assert branches == {
        "algorithm2": 3, "path": 2, "one_shot": 1, "iterative": 1, "layerwise": 1
    }  # fmt: skip
    capped = ScheduleSettings(factors=(50, 33, 16), max_prunings=2)
    assert algorithm2.num_branches(capped) == 2
    forked = ScheduleSettings(path=("R1,R2: 50%,33%", "R1..R3: 50%", "R0"))
    assert path.num_branches(forked) == 2
    assert PruneSettings().demands(num_samples=500, seed=0) == Demands(
        num_branches=4, num_samples=500
    )


def test_a_reference_at_chance_that_is_pruned_all_the_same_is_refused_as_a_setting():
    with pytest.raises(ParameterError, match="refused_start: received prune with acceptance non"):
        PruneSettings(refused_start="prune")
    assert PruneSettings(refused_start="prune", acceptance="relative")
