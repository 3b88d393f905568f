"""Second-order and reconstruction criteria against gradients and outputs taken one by one."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.contributions import sums_over_channels, windows
from slimderm.components.pruning.criteria.base import ScoringInputs
from slimderm.components.pruning.criteria.thinet import greedy
from slimderm.components.pruning.importance import importance
from slimderm.components.pruning.proof import randomise
from slimderm.components.pruning.pruner import prune


def scores(model, criterion, layer, **more):
    graph = trace(model)
    return importance(ScoringInputs(graph, **more), criterion)[graph.producers[layer].labels]


def network():
    image = keras.Input((5, 5, 2))
    x = layers.Conv2D(6, 3, padding="same", activation="relu", name="conv")(image)
    x = layers.Conv2D(4, 2, strides=2, activation="tanh", name="next")(x)
    x = layers.Flatten()(x)
    model = keras.Model(image, layers.Dense(2, activation="softmax", name="out")(x))
    randomise(model, seed=0)
    return model


def batches(number=2):
    random = np.random.default_rng(0)
    targets = np.eye(2, dtype="float32")[[0, 1, 1]]
    return [(random.normal(size=(3, 5, 5, 2)).astype("float32"), targets) for _ in range(number)]


def test_fisher_agrees_with_gradients_of_single_images_by_tensorflow():
    model, squares = network(), []
    kernel = model.get_layer("conv").kernel
    for inputs, targets in batches():
        for place in range(len(inputs)):
            with tf.GradientTape() as tape:
                loss = keras.losses.categorical_crossentropy(
                    targets[place], model(inputs[place : place + 1], training=False)[0]
                )
            squares.append(tape.gradient(loss, kernel.value).numpy() ** 2)
    expected = (np.mean(squares, axis=0) * kernel.numpy() ** 2).sum((0, 1, 2)) / 2
    np.testing.assert_allclose(scores(model, "fisher", "conv", batches=batches()), expected, 1e-3)


def test_fisher_is_what_the_loss_gains_where_it_is_a_quadratic_form():
    """Of a linear model, squared loss ½ (w x - y)² with x = ±1, and y from its own outputs ± 1."""
    inputs = keras.Input((3,))
    dense = layers.Dense(1, use_bias=False, name="dense")
    model = keras.Model(inputs, layers.Identity()(dense(inputs)))
    dense.set_weights([np.array([[2.0], [-1.0], [0.5]])])
    corners = np.array(np.meshgrid(*[[-1, 1]] * 3)).reshape(3, -1).T.astype("float32")
    data = [
        (corners, (corners @ dense.get_weights()[0] + noise).astype("float32")) for noise in (1, -1)
    ]

    def loss(true, predicted):
        return keras.ops.square(true - predicted) / 2

    # The Hessian is the identity, and so is the mean of squared gradients (±1 times ±1).
    gain = [0.5 * weight**2 for weight in (2.0, -1.0, 0.5)]
    found = scores(model, "fisher", "dense", batches=data, loss=loss)
    np.testing.assert_allclose(found, [sum(gain)], rtol=1e-5)


READERS = {
    "dense": lambda: (layers.Dense(5), (4, 7)),
    "same": lambda: (layers.Conv2D(5, 3, padding="same"), (4, 5, 7)),
    "even and strided": lambda: (layers.Conv2D(5, (2, 4), strides=2, padding="same"), (5, 6, 7)),
    "dilated": lambda: (layers.Conv2D(5, (3, 1), dilation_rate=(2, 1)), (6, 3, 7)),
    "causal": lambda: (layers.Conv1D(5, 3, padding="causal", dilation_rate=2), (6, 7)),
    "three axes": lambda: (layers.Conv3D(5, 2, strides=(1, 2, 1)), (3, 4, 3, 7)),
}


@pytest.mark.parametrize("reader", READERS)
def test_windows_times_the_kernel_are_the_layers_outputs(reader):
    layer, shape = READERS[reader]()
    values = np.random.default_rng(0).normal(size=(2, *shape))
    outputs = np.asarray(layer(values.astype("float32"))).reshape(2, -1, 5)
    assert sums_over_channels(layer)
    taken = windows(layer, values, 1000, np.random.default_rng(1))  # all places, shuffled
    kernel = layer.kernel.numpy().reshape(taken.shape[1], 7, 5)
    found = np.einsum("ntc,tco->no", taken, kernel).reshape(2, -1, 5)
    assert found.shape == outputs.shape
    np.testing.assert_allclose(np.sort(found, axis=1), np.sort(outputs, axis=1), atol=1e-4)
    assert len(windows(layer, values, 2, np.random.default_rng(1))) == 4


def by_hand(model, layer, reader, data):
    """The order of removal, each time trying every channel on the model itself."""
    inner = keras.Model(model.input, model.get_layer(layer).output)
    reading = model.get_layer(reader)
    values = np.concatenate([np.asarray(inner(inputs)) for inputs, _ in data])
    bias, activation = reading.bias.numpy(), reading.activation
    reading.activation = keras.activations.linear

    def outputs(gone):
        few = values.copy()
        few[..., list(gone)] = 0
        if reader == "out":
            few = few.reshape(len(few), -1)
        return np.asarray(reading(few)).astype(float) - bias

    whole, gone, errors = outputs([]), [], []
    while len(gone) < values.shape[-1]:
        left = set(range(values.shape[-1])) - set(gone)
        tried = {c: ((outputs([*gone, c]) - whole) ** 2).sum() for c in left}
        gone.append(min(tried, key=tried.get))
        errors.append(tried[gone[-1]] / (whole**2).sum())
    reading.activation = activation
    found = np.empty(len(gone))
    found[gone] = np.maximum.accumulate(errors)
    return found


@pytest.mark.parametrize(("layer", "reader"), [("conv", "next"), ("next", "out")])
def test_thinet_is_the_greedy_choice_by_the_next_layers_outputs(layer, reader):
    model, data = network(), batches()  # four places of each output: all are looked at
    expected = by_hand(model, layer, reader, data)
    found = scores(model, "thinet", layer, batches=data)
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    removed = prune(model, ratio=0.5, criterion="thinet", data=data).log["removed"][layer]
    assert removed == sorted(np.argsort(expected)[: len(expected) // 2].tolist())


def test_channels_that_are_silent_or_cancel_each_other_go_first():
    matrix = np.diag([0.0, 1.0, 1.0, 5.0])
    matrix[1, 2] = matrix[2, 1] = -1  # together they add nothing
    order, errors = greedy(matrix)
    assert order.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(errors, [0, 1, 1, 5], atol=1e-6)
    assert (np.diff(errors) > 0).all()


def test_depthwise_readers_and_coupled_layers_are_scored():
    image = keras.Input((6, 6, 3))
    x = layers.Conv2D(8, 1, name="a")(image)
    x = layers.DepthwiseConv2D(3, padding="same", name="depth")(x)
    x = layers.Add()([x, layers.Conv2D(8, 1, name="b")(image)])
    x = layers.SeparableConv2D(5, 3, name="separable")(x)
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    randomise(model, seed=0)
    data = [(np.random.default_rng(0).normal(size=(4, 6, 6, 3)).astype("float32"), None)]
    for layer in ("a", "separable"):
        found = scores(model, "thinet", layer, batches=data)
        assert (found > 0).all()
        assert len(set(found)) == len(found)
