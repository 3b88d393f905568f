"""Recipes are drawn once each; what is dominated goes first."""

import itertools
import json

import numpy as np
import pytest

from slimderm.components.common.errors import ParameterError
from slimderm.components.network_compression.search import (
    SPACE,
    candidates,
    crowding,
    described,
    ranks,
    survivors,
)
from slimderm.components.network_compression.settings import SlimSettings


def test_every_recipe_of_the_space_is_one_that_params_would_take_and_comes_once():
    number = int(np.prod([len(each) for each in SPACE])) - 1
    drawn = candidates(number, seed=0)
    assert len({json.dumps(each) for each in drawn}) == number
    for passes in drawn:
        SlimSettings(network="lenet5", passes=passes).check()
    assert candidates(5, seed=3) == candidates(5, seed=3) != candidates(5, seed=4)
    with pytest.raises(ParameterError, match=f"recipes: received {number + 1}, expected at most"):
        candidates(number + 1, seed=0)
    with pytest.raises(ParameterError, match="recipes: received 0"):
        candidates(0, seed=0)


@pytest.mark.parametrize("seed", range(5))
def test_ranks_are_those_of_peeling_fronts_by_hand(seed):
    costs = np.random.default_rng(seed).integers(0, 5, (30, 3)).astype(float)  # with ties
    left, expected, depth = set(range(30)), np.empty(30, int), 0
    while left:
        front = {
            one
            for one in left
            if not any(
                all(costs[other] <= costs[one]) and any(costs[other] < costs[one]) for other in left
            )
        }
        expected[list(front)] = depth
        left -= front
        depth += 1
    assert (ranks(costs) == expected).all()


def test_survivors_are_the_front_then_those_that_stand_alone():
    front = [[0, 9], [1, 8], [1.1, 7.9], [5, 5], [9, 0]]
    behind = [[6, 6], [9, 9]]
    costs = np.array(front + behind, float)
    assert survivors(costs, 5) == [0, 1, 2, 3, 4]
    assert survivors(costs, 6) == [0, 1, 2, 3, 4, 5]
    assert survivors(costs, 3) == [0, 3, 4]  # both ends, and what is far from its neighbours
    assert np.isinf(crowding(np.array(front, float))[[0, 4]]).all()


def test_a_dominated_row_never_stays_where_its_better_goes():
    random = np.random.default_rng(0)
    for _ in range(20):
        costs = random.random((12, 2))
        kept = set(survivors(costs, 6))
        for one, other in itertools.permutations(range(12), 2):
            if (costs[one] < costs[other]).all() and other in kept:
                assert one in kept


def test_a_recipe_in_a_line():
    passes = [
        {"pass": "prune", "ratio": 0.5},
        {"pass": "low_rank", "ranks": {"energy": 0.8}, "data_aware": True},
        {"pass": "share", "bits": 4},
    ]
    assert described(passes) == "prune 0.5, low_rank 0.8, share 4"
