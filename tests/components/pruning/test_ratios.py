"""Ratios a layer: by patterns of names, against counts by hand."""

import keras
import pytest
from keras import layers

from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.method import Budget, Limits
from slimderm.components.pruning.pruner import prune


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
