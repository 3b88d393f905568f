"""A function of the user's as a criterion."""

import numpy as np
import pytest

from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.pruner import prune


def spread(layer, filters):
    return filters.max(axis=1) - filters.min(axis=1)


@pytest.mark.parametrize("scope", ["local", "global"])
def test_the_channels_of_least_score_go(small, scope):
    model = small()
    removed = prune(model, ratio=0.5, criterion=spread, scope=scope).log["removed"]
    for name in "cd":
        kernel = model.get_layer(name).kernel.numpy()
        kernel = kernel.reshape(-1, kernel.shape[-1])
        order = np.argsort(np.ptp(kernel, axis=0), kind="stable")
        assert removed[name] == sorted(order[: len(removed[name])].tolist())


def test_it_sees_each_layer_once_with_a_row_for_each_channel(small):
    seen = {}

    def look(layer, filters):
        assert layer.name not in seen
        seen[layer.name] = filters.shape
        return np.ones(len(filters))

    prune(small(), ratio=0.5, criterion=look)
    assert seen == {"a": (8, 27), "b": (8, 72), "c": (6, 72), "d": (10, 54), "out": (3, 10)}


def test_a_function_that_scores_like_a_criterion_prunes_like_it(small):
    model = small()
    found = prune(model, ratio=0.5, criterion=lambda layer, filters: np.abs(filters).sum(1))
    assert found.log == prune(model, ratio=0.5, criterion="l1").log


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda layer, filters: filters, r"shape \(8, 27\) from <lambda> for a, expected 8 numb"),
        (lambda layer, filters: 3.0, r"shape \(\) from"),
        (lambda layer, filters: "high", "received str from"),
        (lambda layer, filters: None, "received .* expected 8 numbers, one for each channel"),
        (lambda layer, filters: np.full(len(filters), np.nan), "<lambda> importance is not finite"),
    ],
)
def test_anything_but_a_finite_number_for_each_channel_is_refused(small, function, words):
    with pytest.raises(ParameterError, match=words):
        prune(small(), ratio=0.5, criterion=function)
