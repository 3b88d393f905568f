"""Layers whose statistics are over channels: whole groups go, others where statistics may move."""

import keras
import numpy as np
import pytest
from keras import layers

from slimderm import prune, replay, verify
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.proof import deviation, randomise

NORMALIZATIONS = {
    "layer": layers.LayerNormalization,
    "layer, centred alone": lambda: layers.LayerNormalization(scale=False),
    "layer, over places too": lambda: layers.LayerNormalization(axis=[1, 2, 3]),
    "rms": layers.RMSNormalization,
    "unit": layers.UnitNormalization,
    "group": lambda: layers.GroupNormalization(4),
}


def network(make, width=16):
    image = keras.Input((6, 6, 3))
    x = layers.Conv2D(width, 3, padding="same", name="first")(image)
    x = layers.Activation("relu")(make()(x))
    x = layers.Conv2D(4, 3, name="second")(x)
    model = keras.Model(image, layers.Dense(2)(layers.Flatten()(x)))
    randomise(model, seed=0)
    return model


def picture():
    return np.random.default_rng(0).random((2, 6, 6, 3)).astype("float32")


@pytest.mark.parametrize("kind", NORMALIZATIONS)
def test_channels_leave_where_statistics_may_move(kind, halved):
    model = network(NORMALIZATIONS[kind])
    graph = trace(model, moving=True)
    assert graph.barriers == ()
    assert len(graph.moved) == 1
    keep = halved(graph)
    assert deviation(graph, keep, picture()) < 1e-5
    pruned = prune(model, ratio=0.5, moving_statistics=True)
    assert pruned.report.widths["first"] == (16, 8)
    assert verify(model, pruned) < 1e-5
    (note,) = pruned.report.notes
    assert note.startswith("outputs move with the statistics of ")
    again = replay(model, pruned.log)
    np.testing.assert_array_equal(again(picture()), pruned.model(picture()))


@pytest.mark.parametrize("kind", sorted(set(NORMALIZATIONS) - {"group"}))
def test_else_they_stay(kind):
    graph = trace(network(NORMALIZATIONS[kind]))
    (barrier,) = graph.barriers
    assert barrier.num_coupled == 16
    assert "sums over the channels" in barrier.reason


@pytest.mark.parametrize("groups", [4, 8, -1])
def test_whole_groups_go_and_outputs_stay(groups, halved):
    model = network(lambda: layers.GroupNormalization(groups))
    graph = trace(model)
    assert graph.barriers == ()
    assert graph.moved == {}
    assert deviation(graph, halved(graph), picture()) < 1e-5
    pruned = prune(model, ratio=0.5)
    found = next(x for x in pruned.model.layers if type(x) is layers.GroupNormalization)
    before = groups if groups > 0 else 16
    assert found.groups == before // 2
    (gone,) = [np.array(pruned.log["removed"]["first"]).reshape(before // 2, -1)]
    assert (gone // (16 // before) == gone[:, :1] // (16 // before)).all()
    assert pruned.report.notes == ()


def test_the_numbers_left_are_a_normalisation_of_the_channels_left():
    """By NumPy: the layer after the pruned convolution, of the channels that stay."""
    model = network(layers.LayerNormalization)
    pruned = prune(model, ratio=0.5, moving_statistics=True)
    stays = np.setdiff1d(np.arange(16), pruned.log["removed"]["first"])
    image = picture()
    first = np.asarray(keras.Model(model.input, model.layers[1].output)(image))[..., stays]
    gamma, beta = (np.asarray(weight)[stays] for weight in model.layers[2].weights)
    centred = first - first.mean(-1, keepdims=True)
    wanted = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-3) * gamma + beta
    made = keras.Model(pruned.model.input, pruned.model.layers[2].output)(image)
    np.testing.assert_allclose(made, wanted, atol=1e-5)


def test_convnext_goes_as_far_as_torch_pruning():
    """7,057,210 parameters: what Torch-Pruning 1.6.1 leaves of ConvNeXt-Tiny at ratio 0.5."""
    model = keras.applications.ConvNeXtTiny(
        weights=None, input_shape=(32, 32, 3), classes=10, classifier_activation=None
    )
    pruned = prune(model, ratio=0.5, moving_statistics=True)
    assert pruned.model.count_params() == 7_057_210
    assert pruned.report.barriers == ()
