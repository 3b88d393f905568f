"""A Keras that is not as expected is left as it is, or refused, and the user is told."""

import keras
import numpy as np
import pytest
from keras import layers
from keras.src.random import seed_generator

from slimderm.components.common.errors import SlimDermError
from slimderm.components.keras_support.guard import has_parameters, warn_once
from slimderm.components.keras_support.normalization import fused_batch_normalization
from slimderm.components.keras_support.optimizers import NAME, spare_sum
from slimderm.components.keras_support.seeding import seeded


@pytest.fixture(autouse=True)
def forgotten():
    """Let each test be the first that warns."""
    warn_once.cache_clear()
    yield
    warn_once.cache_clear()


def renamed(self, inputs, mask=None):
    return inputs


def test_parameters_are_compared_by_name_and_order():
    assert has_parameters(renamed, "self", "inputs", "mask")
    assert not has_parameters(renamed, "self", "mask", "inputs")
    assert not has_parameters(None, "self")


def test_an_optimizer_that_sums_otherwise_is_left_alone_and_one_warning_given(monkeypatch):
    monkeypatch.setattr(keras.optimizers.Adam, NAME, lambda self, pairs: pairs, raising=False)
    optimizer = keras.optimizers.Adam()
    with pytest.warns(RuntimeWarning, match=r"lacks Optimizer\._all_reduce.* keras>=3\.15") as seen:
        spare_sum(optimizer)
        spare_sum(optimizer)
    assert len(seen) == 1
    assert NAME not in vars(optimizer)


def test_a_layer_that_is_called_otherwise_is_left_alone(monkeypatch):
    model = keras.Sequential([keras.Input((2, 2, 3)), layers.BatchNormalization()])
    monkeypatch.setattr(layers.BatchNormalization, "call", renamed)
    with (
        pytest.warns(RuntimeWarning, match=r"lacks BatchNormalization\.call.*slower layer"),
        fused_batch_normalization(model),
    ):
        assert "call" not in vars(model.layers[0])


def test_seeds_that_are_drawn_otherwise_are_refused(monkeypatch):
    monkeypatch.setattr(seed_generator, "make_default_seed", lambda: np.random.randint(1, 9))
    shared = seed_generator.python_random
    with pytest.raises(SlimDermError, match=r"draws its seeds otherwise.*keras>=3\.15"), seeded(3):
        pass
    assert seed_generator.python_random is shared
    monkeypatch.delattr(seed_generator, "make_default_seed")
    with pytest.raises(SlimDermError, match="draws its seeds otherwise"), seeded(3):
        pass
