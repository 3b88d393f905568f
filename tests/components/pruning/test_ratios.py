"""Ratios a layer: by patterns of names, and a largest one, against counts by hand."""

from fractions import Fraction

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.method import Budget, Limits
from slimderm.components.pruning.pruner import prune
from slimderm.components.pruning.selection import Planner


def widths(pruned):
    return {path: after for path, (_, after) in pruned.report.widths.items() if path != "out"}


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        ({"c": 0.5, "*": 0.25}, {"a": 6, "b": 6, "c": 3, "d": 7}),  # floor(10 * 0.75)
        ({"*": 0.25, "c": 0.5}, {"a": 6, "b": 6, "c": 4, "d": 7}),  # the first one counts
        ({"b": 0.5, "a": 0.25}, {"a": 4, "b": 4, "c": 6, "d": 10}),  # a and b go together
        ({"norm": 0.5}, {"a": 4, "b": 4, "c": 6, "d": 10}),  # holds weights for their channels
        ({"?": 0.9}, {"a": 1, "b": 1, "c": 1, "d": 1}),
    ],
)
def test_each_layer_loses_the_ratio_of_the_first_pattern_that_fits(small, ratio, expected):
    assert widths(prune(small(), ratio=ratio)) == expected


def test_one_pattern_for_all_is_one_ratio(small):
    model = small()
    assert prune(model, ratio={"*": 0.3}).log == prune(model, ratio=0.3).log


def test_floors_hold_and_nested_layers_have_paths(small):
    assert widths(prune(small(), ratio={"d": 0.9}, limits=Limits(floors={"d": 4})))["d"] == 4
    inside = keras.Sequential([layers.Dense(8, name="p"), layers.Dense(6, name="q")], name="inner")
    model = keras.Sequential([keras.Input((4,)), inside, layers.Dense(2, name="out")])
    found = widths(prune(model, ratio={"inner/q": 0.5}))
    assert found == {"inner/p": 8, "inner/q": 3}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"ratio": {"e*": 0.5, "*": 0.2}}, "received 'e\\*', which matches no layer.*some of a, "),
        ({"ratio": {"a": 1.5}}, "ratio: received 1.5 for 'a', expected .* below 1"),
        ({"ratio": {}}, "ratio: received no pattern"),
        ({"ratio": {"a": 0.5}, "scope": "global"}, "with scope global, expected one ratio"),
        ({"ratio": {"a": 0.5}, "budget": Budget("parameters", 9)}, "expected one of the two"),
    ],
)
def test_ratios_that_mean_nothing_are_refused(small, arguments, words):
    with pytest.raises(ParameterError, match=words):
        prune(small(), **arguments)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        # Of 24 coupled channels 12 go: the ten of d first, then those of c, then of a and b.
        (Limits(), {"a": 8, "b": 8, "c": 3, "d": 1}),
        (Limits(max_ratio=0.5), {"a": 4, "b": 4, "c": 3, "d": 5}),
        (Limits(max_ratio=0.75), {"a": 7, "b": 7, "c": 2, "d": 3}),
    ],
)
def test_a_largest_ratio_keeps_one_threshold_from_emptying_a_layer(small, limits, expected):
    graph = trace(small())
    scores = np.zeros(graph.num_coupled)
    for name, score in (("a", 3), ("c", 2), ("d", 1)):
        scores[graph.producers[name].labels] = score
    plan_of = Planner(graph, scores, scope="global", comparable=True, limits=limits)
    keep = plan_of.plan(0.5)
    found = {name: int(keep[graph.producers[name].labels].sum()) for name in "abcd"}
    assert found == expected


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.sampled_from(["local", "global"]))
def test_no_layer_loses_more_than_the_largest_ratio(traced, ratio, largest, scope):
    graph, scores = traced
    plan_of = Planner(graph, scores, scope=scope, limits=Limits(max_ratio=largest))
    for keep in (plan_of.plan(ratio), plan_of.smallest()):
        for producer in graph.producers.values():
            stays = keep[producer.labels]
            assert stays.sum() >= len(stays) * (1 - Fraction(str(largest)))


@pytest.fixture(scope="module")
def traced():
    inputs = keras.Input((4,))
    x = layers.Dense(7, name="p")(inputs)
    x = layers.Add()([layers.Dense(12, name="q")(x), layers.Dense(12, name="r")(inputs)])
    graph = trace(keras.Model(inputs, layers.Dense(2, name="out")(x)))
    return graph, np.random.default_rng(0).random(graph.num_coupled)


def test_the_largest_ratio_counts_from_what_was_there_once(small):
    model = small()
    original = {group.name: len(group.coupled) for group in trace(model).groups}
    half = prune(model, ratio=0.5).model
    more = prune(half, ratio=0.9, original=original, limits=Limits(max_ratio=0.7))
    # Of 8, 6 and 10 channels stay ceil(0.3 times as many).
    assert widths(more) == {"a": 3, "b": 3, "c": 2, "d": 3}


@pytest.mark.parametrize("largest", [0, 1, -0.5, float("nan"), "0.5"])
def test_a_largest_ratio_outside_is_refused(largest):
    with pytest.raises(ParameterError, match=r"max_ratio: received .* above 0 and below 1"):
        Limits(max_ratio=largest)
