"""Layers that are replaced only where that is faster: a clear case each way, measured."""

import keras
import pytest
from keras import layers

from slimderm.components.common.errors import ParameterError
from slimderm.components.network_compression.cp import CP
from slimderm.components.network_compression.faster import times
from slimderm.components.network_compression.low_rank import LowRank
from slimderm.components.network_compression.ranks import Ranks
from slimderm.components.network_compression.replaceable import largest_input
from slimderm.components.network_compression.tucker import Tucker
from slimderm.components.pruning.method import Budget


@pytest.fixture(scope="module")
def model():
    """A layer of 200 million multiply-accumulates, and one of a few thousand."""
    return keras.Sequential(
        [
            keras.Input((24, 24, 192)),
            layers.Conv2D(192, 3, padding="same", name="heavy"),
            layers.GlobalAveragePooling2D(),
            layers.Reshape((4, 4, 12)),
            layers.Conv2D(16, 3, name="light"),
            layers.Flatten(),
            layers.Dense(16, name="dense"),
        ]
    )


@pytest.mark.parametrize(
    "made_by",
    [
        Tucker(Ranks(rank=4), faster_only=True),
        CP(rank=4, faster_only=True),
        LowRank(Ranks(rank=4), "channel", faster_only=True),
    ],
)
def test_only_what_is_faster_is_replaced_and_both_times_are_said(made_by, model):
    said = made_by.apply(model).report
    assert " ms to " in said.changed["heavy"]
    for path, text in (said.changed | said.left).items():
        before, after = (float(part.split()[-1]) for part in text.split(" ms")[:2])
        assert (after < before) == (path in said.changed) or before == after


def test_a_slower_chain_is_measured_as_slower(model):
    chain = [(layers.Conv2D(192, 3, padding="same"), []) for _ in range(2)]
    found = times(model, "heavy", chain)
    assert found.chain > found.layer


def test_the_largest_input_is_measured():
    shared = layers.Conv2D(4, 3, padding="same", name="shared")
    inputs = keras.Input((8, 8, 4))
    small = shared(layers.MaxPooling2D()(inputs))
    inner = keras.Model(inputs, [small, shared(inputs)], name="inner")
    outer = keras.Input((8, 8, 4))
    model = keras.Model(outer, inner(outer))
    assert largest_input(model, "inner/shared")[1:] == (8, 8, 4)


def test_sizes_that_are_undefined_and_budgets_are_refused():
    free = keras.Sequential([keras.Input((None, None, 16)), layers.Conv2D(16, 3)])
    with pytest.raises(ParameterError, match="expected a fixed size"):
        Tucker(Ranks(rank=2), faster_only=True).apply(free)
    with pytest.raises(ParameterError, match="faster_only: received it with a budget"):
        LowRank(Ranks(budget=Budget("bytes", 9)), faster_only=True)
