"""Passes one after the other: found again, refused in a wrong order, trained as each says."""

import keras
import numpy as np
import pytest

from slimderm.components.common.errors import ParameterError
from slimderm.components.network_compression.binarise import Binarise
from slimderm.components.network_compression.low_rank import LowRank
from slimderm.components.network_compression.prune import Prune
from slimderm.components.network_compression.quantise import Quantise
from slimderm.components.network_compression.ranks import Ranks
from slimderm.components.network_compression.recipe import Step, check_order, compress
from slimderm.components.network_compression.share import ShareWeights
from slimderm.components.network_compression.sparsify import Sparsify
from slimderm.components.network_compression.xnor import XNOR
from slimderm.components.pruning.masks import kernels
from slimderm.components.pruning.pruner import prune

STEPS = (
    Step(Prune(ratio=0.25), 1),
    Step(LowRank(Ranks(energy=0.8), data_aware=True)),
    Step(Sparsify(0.5, steps=2), 1),
    Step(ShareWeights(2), 2),
)


@pytest.fixture
def train(rows):
    """A callable that trains, and keeps the epochs of each training."""

    def fit(model, epochs):
        fit.epochs.append(epochs)
        model.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy")
        model.fit(*rows[0], epochs=epochs, verbose=0)

    fit.epochs = []
    return fit


def test_all_passes_together_give_a_smaller_model_of_few_values(dense, rows, train):
    made = list(compress(dense, STEPS, data=rows, train=train))
    assert [each.report.parameters[1] for each in made] == [
        each.model.count_params() for each in made
    ]
    assert made[0].report.parameters[0] == dense.count_params()
    assert made[1].report.parameters[1] < made[0].report.parameters[1]
    assert train.epochs == [1, 1, 1, 2]  # sparsify trains after each of its steps
    found = [np.asarray(kernel) for kernel in kernels(made[-1].model).values()]
    assert all(len(np.unique(kernel)) <= 4 for kernel in found)
    assert np.mean(np.concatenate([kernel.ravel() for kernel in found]) == 0) > 0.49


@pytest.mark.slow
def test_what_is_finished_is_found_again_and_is_the_same(dense, rows, train, tmp_path):
    def run(steps=STEPS, **more):
        train.epochs.clear()
        options = {"data": rows, "train": train, "cache": tmp_path} | more
        return list(compress(dense, steps, **options))

    first = run()
    again = run()
    assert train.epochs == []
    for one, other in zip(first, again, strict=True):
        assert one.report == other.report
        for old, new in zip(one.model.weights, other.model.weights, strict=True):
            np.testing.assert_array_equal(np.asarray(old), np.asarray(new))
    run((*STEPS[:3], Step(ShareWeights(3), 2)))
    assert train.epochs == [2]  # the steps before it were found
    run(seed=1)
    assert train.epochs == [1, 1, 1, 2]
    run(trained_by={"learning_rate": 0.01})
    assert train.epochs == [1, 1, 1, 2]


def test_the_same_seed_gives_the_same_model(dense, rows, train):
    one, other = (list(compress(dense, STEPS, data=rows, train=train))[-1] for _ in range(2))
    for old, new in zip(one.model.weights, other.model.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(old), np.asarray(new))


def test_the_pruner_does_what_it_does_alone(dense):
    [made] = compress(dense, [Step(Prune(ratio=0.5, keep=("first",)))])
    alone = prune(dense, ratio=0.5, limits=None)
    assert made.model.get_layer("first").units == 24
    assert alone.model.get_layer("first").units == 12
    assert made.model.get_layer("second").units == alone.model.get_layer("second").units
    assert made.report.changed["second"] == "24 channels to 12"


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([], "steps: received none"),
        (
            [Step(ShareWeights(2)), Step(LowRank(Ranks(rank=2)))],
            "received LowRank after ShareWeights, expected it before",
        ),
        (
            [Step(ShareWeights(2)), Step(Sparsify(0.5))],
            "received Sparsify after ShareWeights",
        ),
        (
            [Step(Sparsify(0.5)), Step(Binarise())],
            "received Binarise after Sparsify, expected it before, or one of the two",
        ),
        ([Step(Sparsify(0.5)), Step(ShareWeights(2)), Step(XNOR())], "XNOR after Sparsify"),
        ([Step(ShareWeights(2)), Step(Quantise(4))], "received Quantise after ShareWeights"),
        ([Step(Binarise()), Step(ShareWeights({"first": 2}))], "ShareWeights after Binarise"),
        ([Step(XNOR()), Step(ShareWeights(2))], "received ShareWeights after XNOR"),
        ([Step(ShareWeights(2)), Step(XNOR(("second",)))], "received XNOR after ShareWeights"),
        ([Step(Prune(ratio=0.5), 1)], "train: received none"),
    ],
)
def test_passes_that_undo_others_are_refused(steps, message, dense):
    with pytest.raises(ParameterError, match=message):
        list(compress(dense, steps))


def test_wrong_epochs_are_refused():
    with pytest.raises(ParameterError, match="epochs: received -1"):
        Step(Prune(ratio=0.5), -1)


def test_frozen_binary_kernels_let_others_share_values():
    check_order([Step(XNOR()), Step(ShareWeights({"first": 2, "last": 4}))])


def test_zeros_stay_where_a_later_pass_only_trains(dense, train):
    steps = [Step(Sparsify(0.5, steps=1)), Step(ShareWeights({"first": 3}), 2)]
    sparse, shared = compress(dense, steps, train=train)
    before, after = (np.asarray(each.model.get_layer("second").kernel) for each in (sparse, shared))
    assert (before == 0).any()
    np.testing.assert_array_equal(after == 0, before == 0)
    assert (after != before).any()
