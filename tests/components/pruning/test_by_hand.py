"""Coupled channels: listed, and taken out by hand."""

import keras
import numpy as np
import pytest
from keras import layers

from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.by_hand import coupled_channels, remove_channels
from slimderm.components.pruning.proof import verify
from slimderm.components.pruning.pruner import prune
from slimderm.components.pruning.replay import replay


def test_channels_that_are_added_are_listed_together(small):
    found = coupled_channels(small())
    assert len(found) == 8 + 6 + 10 + 3
    assert [each.places for each in found if "a" in each.places] == [
        {"a": (place,), "b": (place,)} for place in range(8)
    ]
    assert [str(each) for each in found if "out" in each.places] == [
        f"out {place} (stays)" for place in range(3)
    ]
    assert [str(each) for each in coupled_channels(small(), "b")][3] == "a 3, b 3"


def test_channels_beside_each_other_that_meet_elsewhere_have_their_own_places():
    image = keras.Input((4, 4, 3))
    a, b = layers.Conv2D(2, 1, name="a")(image), layers.Conv2D(3, 1, name="b")(image)
    x = layers.Add()([layers.Concatenate()([a, b]), layers.Conv2D(5, 1, name="c")(image)])
    model = keras.Model(image, layers.Conv2D(1, 1, name="out")(x))
    found = coupled_channels(model, "c")
    assert [each.places for each in found] == [
        {"a": (0,), "c": (0,)}, {"a": (1,), "c": (1,)},
        {"b": (0,), "c": (2,)}, {"b": (1,), "c": (3,)}, {"b": (2,), "c": (4,)},
    ]  # fmt: skip


def test_named_channels_go_with_what_is_coupled_and_nothing_else(small):
    model = small()
    pruned = remove_channels(model, {"b": [1, 4], "d": [9]})
    assert pruned.log["removed"] == {"a": [1, 4], "b": [1, 4], "d": [9]}
    left = np.delete(model.get_layer("d").bias.numpy(), 9)
    np.testing.assert_array_equal(pruned.model.get_layer("d").bias, left)
    assert verify(model, pruned) < 1e-4
    assert "a: 8 to 6" in str(pruned.report)
    again = replay(model, pruned.log)
    for one, other in zip(again.get_weights(), pruned.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_by_hand_is_what_a_criterion_chose(small):
    model = small()
    pruned = prune(model, ratio=0.5)
    assert remove_channels(model, pruned.log["removed"]).log == pruned.log


@pytest.mark.parametrize(
    ("channels", "words"),
    [
        ({"e": [0]}, "layer: received 'e', expected one that makes channels: a, b, c, d, out"),
        ({"a": [8]}, "channels: received 8 for a, expected a whole number from 0 to 7"),
        ({"a": ["0"]}, "channels: received '0' for a"),
        ({"out": [0]}, "received 0 of out, which must stay"),
        ({"c": range(6)}, "removes every channel"),
        ({}, "channels: received {}"),
    ],
)
def test_what_cannot_go_is_refused(small, channels, words):
    with pytest.raises(ParameterError, match=words):
        remove_channels(small(), channels)


def test_an_unknown_layer_is_refused(small):
    with pytest.raises(ParameterError, match="layer: received 'norm', expected one that makes"):
        coupled_channels(small(), "norm")
