"""Filters, activation maps and Grad-CAM against direct computation."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from components.errors import ParameterError
from components.pruning.features import activation_maps, filter_images, grad_cam


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    image, more = keras.Input((12, 10, 3), name="image"), keras.Input((2,), name="more")
    x = layers.Conv2D(4, 3, activation="relu", name="a")(image)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Conv2D(5, 3, strides=2, activation="relu", name="b")(x)
    x = layers.Dropout(0.5)(layers.Flatten()(x))
    x = layers.Dense(6, activation="tanh", name="joined")(
        layers.Concatenate()([x, layers.Dense(3, name="side")(more)])
    )
    return keras.Model(
        {"image": image, "more": more}, layers.Dense(3, "softmax", name="classes")(x)
    )


@pytest.fixture
def batch():
    random = np.random.default_rng(0)
    return {
        "image": random.normal(size=(3, 12, 10, 3)).astype("float32"),
        "more": random.normal(size=(3, 2)).astype("float32"),
    }


@pytest.mark.parametrize("layer", ["a", "b", None])
def test_grad_cam_agrees_with_gradients_by_tensorflow(model, batch, layer):
    found = grad_cam(model, batch, layer=layer, class_index=1)
    name = layer or "b"
    tap = keras.Model(model.input, model.get_layer(name).output)
    maps = tap(batch, training=False)
    given = [batch[tensor.name] for tensor in model.inputs]
    expected = []
    for index in range(3):
        delta = tf.Variable(tf.zeros_like(maps[:1]))
        with tf.GradientTape() as tape:
            score = _score(model, name, [part[index : index + 1] for part in given], delta)[0, 1]
        slopes = tape.gradient(score, delta).numpy()[0]
        cam = np.maximum((maps[index].numpy() * slopes.mean((0, 1))).sum(-1), 0)
        expected.append(cam)
    resized = np.asarray(keras.ops.image.resize(np.stack(expected)[..., None], (12, 10)))[..., 0]
    most = np.maximum(resized.max((1, 2), keepdims=True), 1e-12)
    np.testing.assert_allclose(found, resized / most, atol=1e-4)
    assert found.shape == (3, 12, 10)
    assert found.max() == 1


def _score(model, name, given, delta):
    """Run the model layer by layer, with something added to one map."""
    values = dict(zip((tensor.name for tensor in model.inputs), given, strict=True))
    x = values["image"]
    for layer in ("a", "norm", "b"):
        x = model.get_layer(layer)(x)
        if layer == name:
            x = x + delta
    x = tf.concat([tf.reshape(x, (1, -1)), model.get_layer("side")(values["more"])], -1)
    x = model.get_layer("joined")(x)
    kernel, bias = model.get_layer("classes").get_weights()
    return x @ kernel + bias


def test_grad_cam_by_hand_where_a_dense_layer_weighs_the_maps():
    image = keras.Input((4, 4, 2))
    conv = layers.Conv2D(2, 1, use_bias=False, name="maps")
    x = layers.GlobalAveragePooling2D()(conv(image))
    out = layers.Dense(2, use_bias=False, activation="softmax")
    model = keras.Model(image, out(x))
    conv.set_weights([np.eye(2, dtype="float32")[None, None]])
    out.set_weights([np.array([[2.0, 0.0], [-1.0, 0.0]], np.float32)])
    inputs = np.random.default_rng(0).normal(size=(1, 4, 4, 2)).astype("float32")
    weighed = np.maximum(2 * inputs[0, ..., 0] - inputs[0, ..., 1], 0)
    found = grad_cam(model, inputs, class_index=0)
    np.testing.assert_allclose(found[0], weighed / weighed.max(), atol=1e-5)
    np.testing.assert_array_equal(grad_cam(model, inputs, class_index=1), 0)


def test_the_predicted_class_is_taken_where_none_is_given(model, batch):
    predicted = model.predict(batch, verbose=0).argmax(-1)
    found = grad_cam(model, batch)
    for index, label in enumerate(predicted):
        one = {name: value[index : index + 1] for name, value in batch.items()}
        expected = grad_cam(model, one, class_index=int(label))[0]
        np.testing.assert_allclose(found[index], expected, atol=1e-5)


def test_nothing_of_the_model_changes(model, batch):
    before = [weight.copy() for weight in model.get_weights()]
    grad_cam(model, batch)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_filters_are_the_kernels(model):
    kernel = model.get_layer("a").get_weights()[0]
    found = filter_images(model, "a", max_filters=2)
    assert found.shape == (2, 3, 3, 3)
    one = kernel[..., 1]
    np.testing.assert_allclose(found[1], (one - one.min()) / (one.max() - one.min()), rtol=1e-5)
    assert filter_images(model, "b").shape == (5, 3, 3, 1)


def test_activation_maps_are_the_strongest_channels_first(model, batch):
    tap = keras.Model(model.input, model.get_layer("a").output)
    maps = np.asarray(tap(batch))[0]
    order = np.argsort(-maps.mean((0, 1)))
    found = activation_maps(model, batch, "a", max_maps=2)
    for shown, channel in zip(found, order, strict=False):
        one = maps[..., channel]
        np.testing.assert_allclose(shown, (one - one.min()) / (one.max() - one.min()), rtol=1e-4)


def test_layers_that_make_no_maps_are_refused(model, batch):
    with pytest.raises(ParameterError, match="layer: received 'z', expected one of"):
        grad_cam(model, batch, layer="z")
    with pytest.raises(ParameterError, match="expected a two-dimensional convolution"):
        filter_images(model, "classes")
    with pytest.raises(ParameterError, match="expected a map"):
        activation_maps(model, batch, "classes")
    flat = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    with pytest.raises(ParameterError, match="without a convolution"):
        grad_cam(flat, np.zeros((1, 3)))
