"""The control: training alone."""

import keras
import numpy as np

from slimderm.components.network_compression.train import Train


def test_weights_are_those_that_the_same_training_gives(dense):
    def fine_tune(model):
        keras.utils.set_random_seed(3)
        model.compile("sgd", "sparse_categorical_crossentropy")
        inputs = np.random.default_rng(0).random((32, *model.input_shape[1:]), np.float32)
        model.fit(inputs, np.arange(32) % model.output_shape[-1], epochs=2, verbose=0)

    before = dense.get_weights()
    made = Train().apply(dense, fine_tune=fine_tune)
    expected = keras.models.clone_model(dense)
    expected.set_weights(before)
    fine_tune(expected)
    for ours, theirs in zip(made.model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert made.report.parameters == (dense.count_params(), dense.count_params())
    assert set(made.report.changed.values()) == {"trained on"}
    assert (made.model.get_weights()[0] != before[0]).any()
    for now, then in zip(dense.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_without_a_training_nothing_changes(dense):
    made = Train().apply(dense)
    for ours, theirs in zip(made.model.get_weights(), dense.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert made.report.notes == ("nothing was changed",)
