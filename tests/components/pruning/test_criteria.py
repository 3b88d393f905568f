"""Each criterion against a case worked out by hand or by numpy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.criteria.base import ScoringInputs
from slimderm.components.pruning.criteria.table import CRITERIA
from slimderm.components.pruning.importance import importance
from slimderm.components.pruning.method import CRITERIA as NAMES


def model_of(kernel, *, norm=None):
    """A 1x1 convolution with given filters (in, out), perhaps normalised, then a dense layer."""
    kernel = np.array(kernel, np.float32)
    image = keras.Input((2, 2, len(kernel)))
    conv = layers.Conv2D(kernel.shape[1], 1, use_bias=False, name="conv")
    x = conv(image)
    if norm is not None:
        bn = layers.BatchNormalization(name="norm")
        x = bn(x)
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    model = keras.Model(image, layers.Dense(2, activation="softmax", name="out")(x))
    conv.set_weights([kernel[None, None]])
    if norm is not None:
        _gamma, *rest = bn.get_weights()
        bn.set_weights([np.array(norm, np.float32), *rest])
    return model


def scores(model, criterion, layer="conv", **kwargs):
    graph = trace(model)
    aggregate = kwargs.pop("aggregate", "mean")
    found = importance(ScoringInputs(graph, **kwargs), criterion, aggregate=aggregate)
    return found[graph.producers[layer].labels]


IMAGES = np.ones((8, 2, 2, 2), "float32")
TARGETS = np.eye(2)[np.arange(8) % 2]
FILTERS = [[3.0, 0.0, 1.0], [-4.0, 2.0, 1.0]]  # three filters of two weights


@pytest.mark.parametrize(
    ("criterion", "expected"),
    [
        ("l1", [7, 2, 2]),
        ("l2", [5, 2, np.sqrt(2)]),
        ("lamp", [25 / 25, 4 / 29, 2 / 31]),
        (
            "fpgm",
            [
                np.sqrt(45) + np.sqrt(29),
                np.sqrt(45) + np.sqrt(2),
                np.sqrt(29) + np.sqrt(2),
            ],
        ),
        ("uninformed", [1, 2 / 3, 1 / 3]),
        ("bn_scale", [7, 2, 2]),  # no normalisation: as l1
    ],
)
def test_filters_by_hand(criterion, expected):
    np.testing.assert_allclose(scores(model_of(FILTERS), criterion), expected, rtol=1e-6)


def test_batch_norm_scales_by_hand():
    found = scores(model_of(FILTERS, norm=[-0.5, 2.0, 0.25]), "bn_scale")
    np.testing.assert_allclose(found, [0.5, 2.0, 0.25])


def test_channels_without_a_scale_are_brought_to_that_of_the_others():
    image = keras.Input((2, 2, 1))
    a, b, c = (
        layers.Conv2D(n, 1, use_bias=False, name=name) for n, name in ((1, "a"), (1, "b"), (2, "c"))
    )
    norm = layers.BatchNormalization(name="norm")
    x = layers.Add()([layers.Concatenate()([norm(a(image)), b(image)]), c(image)])
    model = keras.Model(image, layers.Conv2D(1, 1, name="out")(x))
    a.set_weights([np.array([[[[5.0]]]])])
    b.set_weights([np.array([[[[-2.0]]]])])
    c.set_weights([np.array([[[[1.0, 4.0]]]])])
    norm.gamma.assign([0.6])
    # The mean norm is 3, the mean scale 0.6; the second channel's norms are 2 and 4.
    np.testing.assert_allclose(scores(model, "bn_scale", "c"), [0.6, 0.6], rtol=1e-6)


@pytest.mark.parametrize(
    ("aggregate", "expected"), [("mean", [2, 5]), ("sum", [4, 10]), ("max", [3, 6])]
)
def test_channels_that_go_together_are_aggregated(aggregate, expected):
    image = keras.Input((2, 2, 1))
    a, b = (layers.Conv2D(2, 1, use_bias=False, name=name) for name in "ab")
    model = keras.Model(image, layers.Conv2D(1, 1, name="out")(layers.Add()([a(image), b(image)])))
    a.set_weights([np.array([[[[1.0, 6.0]]]])])
    b.set_weights([np.array([[[[-3.0, 4.0]]]])])
    np.testing.assert_allclose(scores(model, "l1", "a", aggregate=aggregate), expected)


def batches(model, number=2):
    random = np.random.default_rng(0)
    shape = model.input_shape[1:]
    return [
        (
            random.normal(size=(4, *shape)).astype("float32"),
            np.eye(2, dtype="float32")[[0, 1, 1, 0]],
        )
        for _ in range(number)
    ]


@pytest.mark.parametrize("norm", [None, [0.5, 1.5, 1.0]])
def test_taylor_agrees_with_gradients_by_tensorflow(norm):
    model = model_of(FILTERS, norm=norm)
    data = batches(model)
    expected = 0
    for inputs, targets in data:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(
                keras.losses.categorical_crossentropy(targets, model(inputs, training=False))
            )
        kernel = model.get_layer("conv").kernel
        gradient = tape.gradient(loss, kernel.value).numpy()
        expected = expected + (gradient * kernel.numpy()).sum((0, 1, 2)) ** 2
    before = [weight.copy() for weight in model.get_weights()]
    found = scores(model, "taylor", batches=data)
    np.testing.assert_allclose(found, expected / 2, rtol=1e-4)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "noise", [layers.GaussianNoise(0.9), layers.Dropout(0.5), layers.SpatialDropout2D(0.5)]
)
def test_taylor_sees_the_network_as_in_inference(noise):
    image = keras.Input((4, 4, 2))
    x = layers.Conv2D(3, 1, name="conv")(noise(image))
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, layers.Dense(2, activation="softmax")(x))
    data = batches(model)
    found = scores(model, "taylor", batches=data)
    np.testing.assert_array_equal(scores(model, "taylor", batches=data), found)


def test_activations_are_those_that_the_next_layer_reads():
    model = model_of(FILTERS)
    data = batches(model)
    inner = keras.Model(model.inputs, model.layers[-2].output)
    pooled = np.concatenate([inner.predict(inputs, verbose=0) for inputs, _ in data])  # (8, 3)
    np.testing.assert_allclose(
        scores(model, "activation", batches=data), np.abs(pooled).mean(0), rtol=1e-5
    )
    np.testing.assert_allclose(scores(model, "apoz", batches=data), (pooled > 0).mean(0))


def test_activations_of_nested_and_shared_layers_are_seen():
    inner_input = keras.Input((3,))
    hidden = layers.Dense(4, activation="relu", name="hidden")
    inner = keras.Model(inner_input, layers.Dense(3, name="deep")(hidden(inner_input)), name="in")
    inputs = keras.Input((3,))
    model = keras.Model(inputs, layers.Dense(2, name="out")(inner(inner(inputs))))
    data = [(np.random.default_rng(0).normal(size=(5, 3)).astype("float32"), None)]
    found = scores(model, "activation", "in/hidden", batches=data)
    first = hidden(data[0][0])
    second = hidden(inner(data[0][0]))
    np.testing.assert_allclose(found, np.abs(np.concatenate([first, second])).mean(0), rtol=1e-5)


def test_chance_follows_the_seed():
    model = model_of(FILTERS)
    np.testing.assert_array_equal(scores(model, "random", seed=3), scores(model, "random", seed=3))
    assert (scores(model, "random", seed=3) != scores(model, "random", seed=4)).any()


def test_every_name_of_params_has_a_criterion():
    assert set(CRITERIA) == set(NAMES)


def test_unknown_names_and_missing_data_are_refused():
    model = model_of(FILTERS)
    with pytest.raises(ParameterError, match="criterion: received 'l7', expected one of l1, l2"):
        scores(model, "l7")
    with pytest.raises(ParameterError, match="aggregate: received 'median'"):
        scores(model, "l1", aggregate="median")
    for name in ("taylor", "activation", "apoz"):
        with pytest.raises(ParameterError, match="data: received none"):
            scores(model, name)
        with pytest.raises(ParameterError, match="received no batch"):
            scores(model, name, batches=[])
    with pytest.raises(ParameterError, match="not finite"):
        scores(model_of([[np.nan, 1.0], [1.0, 1.0]]), "l1")


@pytest.mark.parametrize("criterion", ["taylor", "activation", "apoz"])
@pytest.mark.parametrize(
    ("data", "words"),
    [
        ((IMAGES, TARGETS), "received ndarray for a batch"),
        ([(IMAGES, TARGETS, TARGETS)], "a batch of 3 parts"),
        ([(IMAGES,)], "a batch of 1 parts"),
        (7, "received int"),
    ],
)
def test_data_that_are_no_batches_are_refused(criterion, data, words):
    with pytest.raises(ParameterError, match=rf"{words}.*\(inputs, targets\)"):
        scores(model_of(FILTERS), criterion, batches=data)
