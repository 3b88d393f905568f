"""The same seed makes the same network, whatever other threads draw in between."""

import random
import sys
import threading

import keras
import numpy as np
import pytest

from slimderm.components.keras_support.seeding import seeded
from slimderm.components.pruning.apply_step import apply_step
from slimderm.components.pruning.method import PruningMethod, PruningStep
from slimderm.components.training.build import build
from slimderm.components.training.build_backbone import build_backbone


@pytest.fixture
def disturbed():
    """Another thread draws from Python's global generator all the time."""
    done = threading.Event()

    def draw():
        while not done.is_set():
            random.random()

    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread = threading.Thread(target=draw)
    thread.start()
    yield
    done.set()
    thread.join()
    sys.setswitchinterval(switching)


def drawn(model):
    """All that a network drew: its weights, and the state of its dropouts."""
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in model.variables]


def of_paper():
    return build("custom2", num_classes=4, input_shape=(48, 32), seed=3)


def of_backbone():
    return build_backbone("vgg16", num_classes=4, input_shape=(32, 32), seed=3)


def test_the_numbers_are_those_of_the_global_generator_undisturbed():
    keras.utils.set_random_seed(5)
    expected = [keras.initializers.GlorotUniform()((3, 4)), keras.layers.Dropout(0.5)]
    with seeded(5):
        received = [keras.initializers.GlorotUniform()((3, 4)), keras.layers.Dropout(0.5)]
    np.testing.assert_array_equal(expected[0], received[0])
    np.testing.assert_array_equal(*(x[1].seed_generator.state for x in (expected, received)))


@pytest.mark.parametrize("make", [of_paper, of_backbone])
def test_building(make, disturbed):
    first, second = drawn(make()), drawn(make())
    assert len(first) > 20
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "method",
    [PruningMethod(), PruningMethod(init="inherit"), PruningMethod(masks=True, init="inherit")],
    ids=str,
)
def test_cutting(method, disturbed, tmp_path):
    model = of_paper()
    first, second = (
        drawn(apply_step(model, PruningStep(percent=50), method, tmp_path)) for _ in range(2)
    )
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
