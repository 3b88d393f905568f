"""Passes that compute kernels while they train, on networks of mixed precision."""

import keras
import numpy as np
import pytest
from keras import layers

from slimderm.components.network_compression.binarise import Binarise
from slimderm.components.network_compression.distil import Distil
from slimderm.components.network_compression.low_rank import LowRank
from slimderm.components.network_compression.miracle import Miracle
from slimderm.components.network_compression.quantise import Quantise
from slimderm.components.network_compression.ranks import Ranks
from slimderm.components.network_compression.share import ShareWeights
from slimderm.components.network_compression.slim_file import pack, unpack
from slimderm.components.network_compression.sparsify import Sparsify
from slimderm.components.network_compression.truncate import GRADIENTS, Truncate
from slimderm.components.network_compression.xnor import XNOR

INPUTS = np.random.default_rng(0).random((32, 12), np.float32)
LABELS = np.arange(32) % 3


def network():
    keras.utils.set_random_seed(0)
    policy = "mixed_bfloat16"
    return keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(24, activation="relu", dtype=policy, name="first"),
            layers.Dense(16, activation="relu", dtype=policy, name="second"),
            layers.Dense(3, activation="softmax", dtype="float32", name="last"),
        ]
    )


def fine_tune(model):
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(INPUTS, LABELS, batch_size=16, verbose=0)


@pytest.mark.parametrize(
    "setting",
    [
        LowRank(Ranks(rank=2), data_aware=True),
        *(Truncate(2, gradient) for gradient in GRADIENTS),
        Sparsify(0.5, steps=1),
        ShareWeights(3),
        Binarise(),
        Quantise(4, activations=8),
        XNOR(),
        Miracle(80, 8, rounds=2, pace=1.5),
    ],
    ids=lambda setting: f"{type(setting).__name__}{getattr(setting, 'gradient', '')}",
)
def test_it_trains_and_its_file_gives_the_same_network_back(setting):
    data = [(INPUTS, LABELS)]
    made = setting.apply(network(), data=data, fine_tune=fine_tune)
    assert made.report.changed
    said = np.asarray(made.model(INPUTS))
    assert np.isfinite(said).all()
    again = unpack(pack(made.model, made.code))
    for ours, theirs in zip(made.model.get_weights(), again.get_weights(), strict=True):
        assert ours.tobytes() == theirs.tobytes()
    np.testing.assert_array_equal(said, np.asarray(again(INPUTS)))


def test_a_teacher_of_mixed_precision_teaches():
    made = Distil(network(), 0.5).apply(network(), fine_tune=fine_tune)
    assert np.isfinite(np.asarray(made.model(INPUTS))).all()
