"""The simulated rules against exact sums, closed forms and the audit's figures."""

import numpy as np
import pytest
from scipy.stats import binom

from slimderm.components.pruning.operating_characteristics import (
    Judged,
    World,
    noninferior,
    one_metric,
    rules,
    table,
)
from slimderm.components.pruning.verdict import Demands


def exact(own, other, number, tolerance):
    """Sum over the discordant images, of which a binomial share favours the first network."""
    total = 0.0
    for discordant in range(number + 1):
        fewest = np.ceil((discordant - tolerance * number - 1e-9) / 2)
        chance = binom.sf(fewest - 1, discordant, own / (own + other))
        total += binom.pmf(discordant, number, own + other) * chance
    return total


@pytest.mark.parametrize(("number", "worse"), [(49, 0), (49, 0.05), (230, 0.02), (360, 0.05)])
def test_a_point_estimate_accepts_as_often_as_the_exact_sum_says(number, worse):
    world = World(worse=worse)
    found = one_metric(world, number, repeats=200_000)
    for tolerance in (0.02, 0.05):
        expected = exact(*world.cells, number, tolerance)
        assert found[f"within {tolerance}"] == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize(
    ("rule", "number", "equal", "worse"),
    [
        ("within 0.02", 360, 0.79, 0.13),
        ("within 0.02", 49, 0.56, 0.29),
        ("within 0.05", 230, 0.94, 0.50),
        ("interval above -0.05", 597, 0.70, 0.03),
        ("interval above -0.05", 225, 0.33, 0.03),
        ("interval above -0.05", 75, 0.14, 0.03),
    ],
)
def test_the_audits_figures_come_out(rule, number, equal, worse):
    for each, expected in ((0.0, equal), (0.05, worse)):
        found = one_metric(World(worse=each), number, repeats=100_000)
        assert found[rule] == pytest.approx(expected, abs=0.02)


def test_drawn_networks_have_the_accuracies_and_the_discordance_of_their_world():
    world = World(accuracy=0.7, discordance=0.3, worse=0.1)
    part = Judged(world, 60_000, seed=1)
    own, other = (answers.argmax(1) == part.labels for answers in part.predict(0))
    assert other.mean() == pytest.approx(0.7, abs=0.01)
    assert own.mean() == pytest.approx(0.6, abs=0.01)
    alone = ((own & ~other).mean(), (other & ~own).mean())
    assert alone == pytest.approx(world.cells, abs=0.01)
    equal = World(discordance=0.3).cells
    assert sum(equal) == pytest.approx(0.3)


def test_noninferior_once_accepts_at_its_margin_as_rarely_as_its_error():
    """At the very margin the error bounds it; an equal network follows the normal law."""
    once = Demands(max_seeds=1, margins={"balanced_accuracy": 0.05, "melanoma_sensitivity": 0.9})
    assert noninferior(World(worse=0.05), 750, once, repeats=800) == pytest.approx(0.025, abs=0.015)
    assert noninferior(World(), 597, once, repeats=800) == pytest.approx(0.70, abs=0.05)


def test_three_looks_and_pooled_seeds_stay_within_the_error_and_gain_power():
    demands = Demands(margins={"balanced_accuracy": 0.05, "melanoma_sensitivity": 0.9})
    assert noninferior(World(worse=0.05), 600, demands, repeats=400) < 0.04
    once = Demands(margins=demands.margins, max_seeds=1)
    power = [noninferior(World(), 360, each, repeats=150) for each in (once, demands)]
    assert power[1] > power[0] + 0.1


def test_every_rule_with_thresholds_judges_by_its_own_code():
    found = rules(World(), 90, repeats=60)
    assert list(found) == ["paper", "validation", "relative"]
    assert found["paper"] < found["validation"] < found["relative"]


def test_the_table_has_a_row_for_each_size_and_quality():
    rows = list(table((30, 60), (0.0, 0.05), repeats=5))
    assert [(row["images"], row["worse"]) for row in rows] == [
        (30, 0.0), (30, 0.05), (60, 0.0), (60, 0.05)
    ]  # fmt: skip
    assert list(rows[0])[-2:] == ["noninferior, once", "noninferior"]
