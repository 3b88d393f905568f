"""Filters, activation maps and Grad-CAM against direct computation."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from slimderm.components.common.errors import ParameterError
from slimderm.components.inspection.features import activation_maps, filter_images
from slimderm.components.inspection.grad_cam import WORTH_COMPILING, grad_cam


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


def test_many_samples_give_what_few_give(model, batch):
    """Many are compiled, few are not."""
    times = -(-WORTH_COMPILING // 3)
    many = {name: np.tile(value, (times, *[1] * (value.ndim - 1))) for name, value in batch.items()}
    expected = np.tile(grad_cam(model, batch), (times, 1, 1))
    np.testing.assert_allclose(grad_cam(model, many), expected, atol=1e-6)


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


def images(number=4, seed=0, size=8):
    shape = (number, size, size, 3)
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def chain(*tail, shape=(8, 8, 3)):
    """A convolution and what follows it; the same weights wherever the shapes are the same."""
    keras.utils.set_random_seed(3)
    image = keras.Input(shape, name="image")
    x = layers.Conv2D(3, 3, activation="relu", name="k")(image)
    for layer in tail:
        x = layer(x)
    return keras.Model(image, x)


def head():
    return (layers.Flatten(), layers.Dense(8, "relu"), layers.Dense(3))


def same_weights(model, other):
    model.set_weights(other.get_weights())
    return model


def test_penalties_do_not_enter_the_gradient():
    plain = chain(*head())
    penalised = layers.Dense(8, "relu", activity_regularizer=keras.regularizers.L2(50.0))
    model = same_weights(chain(layers.Flatten(), penalised, layers.Dense(3)), plain)
    expected = grad_cam(plain, images(), class_index=1)
    assert expected.any()
    np.testing.assert_allclose(grad_cam(model, images(), class_index=1), expected, atol=1e-6)


def test_noise_and_dropout_stay_off_wherever_they_are():
    plain = chain(*head())
    inside = keras.Sequential(
        [keras.Input((6, 6, 3)), layers.GaussianNoise(0.9), layers.SpatialDropout2D(0.5)]
    )
    model = same_weights(chain(inside, *head()), plain)
    expected = grad_cam(plain, images(), class_index=1)
    np.testing.assert_allclose(grad_cam(model, images(), class_index=1), expected, atol=1e-6)


@pytest.mark.parametrize("end", [layers.Softmax(), layers.Activation("softmax")])
def test_a_softmax_that_is_a_layer_of_its_own_is_left_out(end):
    plain = chain(*head())
    model = same_weights(chain(*head(), end), plain)
    expected = grad_cam(plain, images())
    assert expected.any()
    np.testing.assert_allclose(grad_cam(model, images()), expected, atol=1e-6)


def test_what_a_normalisation_has_learnt_comes_along():
    wide = 50 + 20 * images()
    normalise = layers.Normalization()
    normalise.adapt(wide)
    plain = chain(*head())
    image = keras.Input((8, 8, 3))
    x = normalise(image)
    for layer in plain.layers[1:]:
        x = layer(x)
    expected = grad_cam(plain, np.asarray(normalise(wide)), class_index=1)
    assert expected.any()
    found = grad_cam(keras.Model(image, x), wide, class_index=1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_images_of_any_size():
    model = chain(layers.GlobalAveragePooling2D(), layers.Dense(3), shape=(None, None, 3))
    fixed = same_weights(chain(layers.GlobalAveragePooling2D(), layers.Dense(3)), model)
    expected = grad_cam(fixed, images(), class_index=1)
    np.testing.assert_allclose(grad_cam(model, images(), class_index=1), expected, atol=1e-6)
    assert grad_cam(model, images(2, size=11)).shape == (2, 11, 11)


def test_sequential_models():
    parts = [layers.Conv2D(3, 3, activation="relu", name="k"), *head()]
    model = keras.Sequential([keras.Input((8, 8, 3)), *parts])
    plain = same_weights(chain(*head()), model)
    expected = grad_cam(plain, images())
    np.testing.assert_allclose(grad_cam(model, images()), expected, atol=1e-6)
    assert activation_maps(model, images(), "k").shape == (3, 6, 6)
    assert filter_images(model, "k").shape == (3, 3, 3, 3)


def test_a_layer_called_twice_counts_where_it_is_called_first():
    shared = layers.Conv2D(3, 3, padding="same", name="shared")
    shared(keras.Input((8, 8, 3)))  # in another model
    image = keras.Input((8, 8, 3))
    x = shared(layers.ReLU()(shared(image)))
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    assert grad_cam(model, images(2), layer="shared").shape == (2, 8, 8)
    maps = activation_maps(model, images(), "shared")
    first = np.moveaxis(np.asarray(shared(images()[:1]))[0], -1, 0)
    strongest = first[np.abs(first).mean((1, 2)).argmax()]
    shown = (strongest - strongest.min()) / np.ptp(strongest)
    np.testing.assert_allclose(maps[0], shown, atol=1e-5)


def test_a_nested_model_can_be_the_layer_but_not_the_last_one():
    base = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3)], name="base")
    image = keras.Input((8, 8, 3))
    x = layers.Dense(3)(layers.GlobalAveragePooling2D()(base(image)))
    nested = keras.Model(image, x)
    assert grad_cam(nested, images(), layer="base").shape == (4, 8, 8)
    with pytest.raises(ParameterError, match="inside a nested model"):
        grad_cam(nested, images())
    end = keras.Sequential([keras.Input((6, 6, 3)), *head()], name="end")
    with pytest.raises(ParameterError, match="ends in 'end'"):
        grad_cam(chain(end), images())
    with pytest.raises(ParameterError, match="ends in 'softmax"):
        grad_cam(chain(*head(), keras.ops.softmax), images())


def test_inputs_go_by_name_whatever_the_structure(model, batch):
    listed = keras.Model(list(model.inputs), model.output)
    expected = grad_cam(model, batch, class_index=1)
    named = {**batch, "unused": np.zeros(3)}
    np.testing.assert_allclose(grad_cam(listed, named, class_index=1), expected, atol=1e-6)
    ordered = [batch[tensor.name] for tensor in listed.inputs]
    np.testing.assert_allclose(grad_cam(listed, ordered, class_index=1), expected, atol=1e-6)
    with pytest.raises(ParameterError, match="expected more as well"):
        grad_cam(model, {"image": batch["image"]})


def test_a_model_that_sees_nothing_shows_nothing():
    found = grad_cam(chain(*head()), np.zeros((2, 8, 8, 3), np.float32))
    np.testing.assert_array_equal(found, 0)


def test_filters_of_transposed_and_depthwise_convolutions():
    up = layers.Conv2DTranspose(7, 3, name="up")
    deep = layers.DepthwiseConv2D(3, depth_multiplier=2, name="deep")
    model = keras.Sequential([keras.Input((8, 8, 3)), up, deep])
    kernel = up.get_weights()[0][:, :, 4]
    shown = (kernel - kernel.min()) / np.ptp(kernel)
    np.testing.assert_allclose(filter_images(model, "up")[4], shown, rtol=1e-5)
    kernel = deep.get_weights()[0][:, :, 5, 1, None]
    shown = (kernel - kernel.min()) / np.ptp(kernel)
    np.testing.assert_allclose(filter_images(model, "deep")[11], shown, rtol=1e-5)


def test_what_cannot_be_asked_is_refused(model, batch):
    for wrong in (-1, 3):
        with pytest.raises(ParameterError, match=f"class_index: received {wrong}, expected one"):
            grad_cam(model, batch, class_index=wrong)
    with pytest.raises(ParameterError, match="expected one whose output is a map"):
        grad_cam(model, batch, layer="joined")
    with pytest.raises(ParameterError, match="received no image"):
        grad_cam(model, {name: value[:0] for name, value in batch.items()})
    two = keras.Model(model.input, [model.output, model.get_layer("joined").output])
    with pytest.raises(ParameterError, match="expected one of shape"):
        grad_cam(two, batch)
    with pytest.raises(ParameterError, match="max_filters: received 0"):
        filter_images(model, "a", max_filters=0)
    with pytest.raises(ParameterError, match="max_maps: received -1"):
        activation_maps(model, batch, "a", max_maps=-1)
