"""XNOR-Net: outputs, scales and steps of training by numpy; files; what is left alone."""

import subprocess
import sys

import keras
import ml_dtypes
import numpy as np
import pytest
from keras import layers, ops

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import layers_by_path
from slimderm.components.model_graph.cost import multiply_accumulates
from slimderm.components.model_graph.trace import trace
from slimderm.components.network_compression.share import ShareWeights
from slimderm.components.network_compression.signs import is_sign, sign
from slimderm.components.network_compression.slim_file import inspect, pack, save, unpack
from slimderm.components.network_compression.xnor import XNOR


def windows(values, layer):
    """Every place's inputs, (N, H, W, kernel height, kernel width, C), by loops; NaN outside."""
    (steps, rates), size = (layer.strides, layer.dilation_rate), layer.kernel_size
    padded, out = values, []
    if layer.padding == "same":
        widths = [(0, 0)]
        for axis in (0, 1):
            length, reach = values.shape[axis + 1], (size[axis] - 1) * rates[axis] + 1
            whole = max((-(-length // steps[axis]) - 1) * steps[axis] + reach - length, 0)
            widths.append((whole // 2, whole - whole // 2))
        padded = np.pad(values, [*widths, (0, 0)], constant_values=np.nan)
    reach = [(size[axis] - 1) * rates[axis] for axis in (0, 1)]
    for top in range(0, padded.shape[1] - reach[0], steps[0]):
        row = [
            padded[:, top : top + reach[0] + 1 : rates[0], left : left + reach[1] + 1 : rates[1]]
            for left in range(0, padded.shape[2] - reach[1], steps[1])
        ]
        out.append(np.stack(row, axis=1))
    return np.stack(out, axis=1)


def by_hand(layer, values, kernel, *, input_scale=False):
    """A convolution of signs in float64: nothing is added where the window is outside."""
    seen = windows(values.astype(np.float64), layer)
    signs = np.where(np.isnan(seen), 0, np.where(seen >= 0, 1, -1))
    alphas = np.abs(kernel.astype(np.float64)).mean((0, 1, 2))
    outputs = np.einsum("nhwijc,ijcf->nhwf", signs, np.where(kernel >= 0, 1, -1)) * alphas
    outputs = outputs + np.asarray(layer.bias)
    if input_scale:
        outputs = outputs * np.nan_to_num(abs(seen)).mean((3, 4, 5))[..., None]
    return np.maximum(outputs, 0)


def alone(layer, shape):
    """A model of one layer whose inputs are normalised already."""
    inputs = keras.Input(shape)
    return keras.Model(inputs, layer(layers.BatchNormalization(epsilon=0.0)(inputs)))


def test_the_sign_of_zero_is_plus_one_and_nothing_else_than_one():
    values = np.float32([-np.inf, -2, -0.3, -1e-37, -0.0, 0, 1e-37, 0.1, 0.7, 1, 3e38, np.inf])
    found = np.asarray(sign(ops.convert_to_tensor(values)))
    np.testing.assert_array_equal(found, np.where(values >= 0, 1, -1))


def test_a_sign_is_known_from_its_operations():
    values = layers.Dense(3)(keras.Input((4,)))
    assert is_sign(sign(values))
    assert not is_sign(values)
    assert not is_sign(ops.sign(values))
    near = ops.clip(values, -2.0, 1.0)
    assert not is_sign(ops.where(values >= 0, 1.0, -1.0) + (near - ops.stop_gradient(near)))
    other = ops.clip(layers.Dense(3)(values), -1.0, 1.0)
    assert not is_sign(ops.where(values >= 0, 1.0, -1.0) + (other - ops.stop_gradient(other)))


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(
    "options", [{"strides": (2, 3)}, {"dilation_rate": (2, 3)}, {"strides": 1}]
)
@pytest.mark.parametrize("input_scale", [False, True])
def test_a_convolution_adds_signs_and_nothing_outside_of_the_image(padding, options, input_scale):
    layer = layers.Conv2D(
        5, (3, 4), padding=padding, activation="relu", bias_initializer="normal", **options
    )
    model = alone(layer, (9, 11, 6))
    made = XNOR(layers=("conv2d*",), input_scale=input_scale).apply(model).model
    values = np.random.default_rng(0).standard_normal((3, 9, 11, 6)).astype(np.float32)
    values[0, 0] = 0
    expected = by_hand(layer, values, np.asarray(layer.kernel), input_scale=input_scale)
    found = np.asarray(made(values))
    assert found.shape == expected.shape == model(values).shape
    # α has eight bits; a bias may take most of a sum away.
    np.testing.assert_allclose(found, expected, rtol=0.005, atol=0.002 * np.abs(expected).max())


@pytest.mark.parametrize("scale", ["layer", "filter"])
def test_dense_layers_are_normalised_before_the_sign(dense, rows, scale):
    """Without data the statistics are still 0 and 1; with it they are those of the inputs."""
    made = XNOR(scale=scale).apply(dense, data=rows)
    assert set(made.report.changed) == {"second"}
    inside = {layer.name: layer for layer in made.model.get_layer("second").layers}
    values = np.asarray(dense.layers[0](rows[0][0]), np.float64)
    normal = inside["second_normalised"]
    np.testing.assert_allclose(normal.moving_mean, values.mean(0), atol=1e-5)
    np.testing.assert_allclose(normal.moving_variance, values.var(0), atol=1e-5)
    values = (values - values.mean(0)) / np.sqrt(values.var(0) + 1e-3)
    kernel = np.asarray(dense.layers[1].kernel)
    alpha = np.abs(kernel).mean(None if scale == "layer" else 0)
    found = np.asarray(inside["second_binary"].kernel)
    np.testing.assert_array_equal(np.sign(found), np.where(kernel >= 0, 1, -1))
    np.testing.assert_allclose(np.abs(found), np.broadcast_to(alpha, found.shape), rtol=2**-8)
    hidden = np.maximum(np.where(values >= 0, 1, -1) @ found, 0)
    np.testing.assert_allclose(
        np.asarray(made.model(rows[0][0])), np.asarray(dense.layers[2](hidden)), rtol=1e-4
    )


def test_the_input_scale_of_a_dense_layer_is_its_mean_magnitude(dense, rows):
    plain, scaled = (XNOR(input_scale=given).apply(dense) for given in (False, True))
    hidden = np.asarray(dense.layers[0](rows[0][0]))
    before, after = (made.model.get_layer("second")(hidden) for made in (plain, scaled))
    mean = abs(hidden / np.sqrt(1.001)).mean(1, keepdims=True)
    np.testing.assert_allclose(np.asarray(after), np.asarray(before) * mean, rtol=1e-4, atol=1e-6)


def test_a_step_goes_straight_through_both_signs():
    """One step of gradient descent on the mean squared error, its gradients by numpy."""
    generator = np.random.default_rng(0)
    inputs, targets = generator.standard_normal((4, 6)), generator.standard_normal((4, 5))
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(7, use_bias=False, name="before"),
            layers.Dense(5, use_bias=False, name="binary"),
        ]
    )
    first, kernel = (np.asarray(each, np.float64) for each in model.get_weights())
    kernel *= 2.5  # some beyond 1

    def train(trained):
        trained.get_layer("binary").get_layer("binary_normalised").trainable = False
        trained.compile(keras.optimizers.SGD(0.1), "mse")
        trained.train_on_batch(inputs, targets)
        seen.append([np.asarray(each) for each in trained.trainable_weights])

    seen = []
    model.layers[1].kernel.assign(kernel)
    XNOR(layers=("binary",), scale="layer").apply(model, fine_tune=train)
    values = inputs @ first / np.sqrt(1.001)
    signs, weights = np.where(values >= 0, 1, -1), np.where(kernel >= 0, 1, -1)
    alpha = float(abs(kernel).mean().astype(ml_dtypes.bfloat16))
    upstream = 2 * (alpha * signs @ weights - targets) / targets.size
    by_kernel = signs.T @ upstream
    through = (
        by_kernel * alpha * (abs(kernel) <= 1)
        + (by_kernel * weights).sum() * np.sign(kernel) / kernel.size
    )
    by_first = inputs.T @ ((upstream @ weights.T) * alpha * (abs(values) <= 1)) / np.sqrt(1.001)
    [[found_first, found_kernel]] = seen
    assert (abs(kernel) > 1).any()
    assert (abs(values) > 1).any()
    np.testing.assert_allclose(found_first, first - 0.1 * by_first, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found_kernel, kernel - 0.1 * through, rtol=1e-4, atol=1e-6)


FRESH = """
import sys, keras, numpy as np
from slimderm import load_slim
read = {"slim": load_slim, "keras": keras.models.load_model}
given = dict(np.load(sys.argv[1]))
for name in sys.argv[2:]:
    model = read[name.rpartition(".")[2]](name)
    np.save(name + ".npy", np.asarray(model(given)))
"""


@pytest.mark.slow
def test_nested_and_shared_layers_come_back_in_a_fresh_process(convolutional, batches, tmp_path):
    def fine_tune(model):
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(*batches[0], epochs=1, verbose=0)
        trained.append(np.asarray(model(batches[1][0])))

    trained, names = [], []
    np.savez(tmp_path / "given.npz", **batches[1][0])
    for input_scale in (False, True):
        made = XNOR(input_scale=input_scale).apply(convolutional, data=batches, fine_tune=fine_tune)
        assert set(made.report.changed) == {"second", "nested/inside", "twice"}
        assert set(made.report.left) == {"first", "last"}
        np.testing.assert_array_equal(np.asarray(made.model(batches[1][0])), trained[-1])
        for name in ("twice", "nested/inside", "second"):
            kernel = layers_by_path(made.model)[f"{name}/{name[-6:]}_binary"].kernel
            magnitude = abs(np.asarray(kernel).reshape(-1, kernel.shape[-1]))
            np.testing.assert_array_equal(magnitude, np.broadcast_to(magnitude[0], magnitude.shape))
        names += [str(tmp_path / f"{input_scale}.{kind}") for kind in ("keras", "slim")]
        made.model.save(names[-2])
        save(made.model, names[-1])
    command = [sys.executable, "-W", "ignore", "-c", FRESH, str(tmp_path / "given.npz"), *names]
    subprocess.run(command, check=True)
    for name, expected in zip(names, np.repeat(trained, 2, axis=0), strict=True):
        np.testing.assert_array_equal(np.load(name + ".npy"), expected)


def test_a_sequential_model_stays_one_and_takes_a_bit_a_weight(rows):
    kernel_bits, filters = 64 * 256, 256
    model = keras.Sequential(
        [
            keras.Input((8,)),
            *(layers.Dense(size, "relu", name=f"of{size}") for size in (64, 256)),
            layers.Dense(3),
        ]
    )
    made = XNOR().apply(model).model
    assert isinstance(made, keras.Sequential)
    assert [layer.name for layer in made.layers] == [layer.name for layer in model.layers]
    [row] = [row for row in inspect(pack(made)).weights if "binary/kernel" in row.path]
    assert row.value_bytes <= kernel_bits / 8 + 4 * filters + 12
    assert multiply_accumulates(made) == multiply_accumulates(model)
    assert trace(made).model is made
    again = unpack(pack(made))
    np.testing.assert_array_equal(np.asarray(again(rows[0][0])), np.asarray(made(rows[0][0])))


def test_a_later_training_keeps_binary_kernels_and_reaches_layers_before_them(dense, rows):
    made = XNOR().apply(dense, data=rows).model
    before = {path: layer.get_weights() for path, layer in layers_by_path(made).items()}

    def fine_tune(model):
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.fit(*rows[0], epochs=2, verbose=0)

    after = ShareWeights({"first": 3, "last": 3}).apply(made, fine_tune=fine_tune).model
    found = {path: layer.get_weights() for path, layer in layers_by_path(after).items()}
    np.testing.assert_array_equal(
        found["second/second_binary"][0], before["second/second_binary"][0]
    )
    assert (found["first"][1] != before["first"][1]).any()


def test_normalisation_that_is_there_is_not_made_twice(convolutional):
    inputs = keras.Input((8,))
    values = layers.BatchNormalization(name="there")(layers.Dense(6, name="a")(inputs))
    outputs = layers.Dense(3, name="c")(layers.Dense(5, name="b")(values))
    made = XNOR().apply(keras.Model(inputs, outputs)).model
    kinds = [type(layer) for layer in layers_by_path(made).values()]
    assert kinds.count(layers.BatchNormalization) == 1


def test_each_input_has_a_first_layer_and_each_output_a_last():
    image, age = keras.Input((8, 8, 3)), keras.Input((1,))
    values = layers.Conv2D(4, 3, name="first")(image)
    values = layers.Flatten()(layers.Conv2D(4, 3, name="middle")(values))
    values = layers.Dense(6, name="joint")(values)
    values = layers.Concatenate()([values, layers.Dense(6, name="of_age")(age)])
    values = layers.Dense(6, name="both")(values)
    outputs = [layers.Dense(2, name="one")(values), layers.Dense(2, name="other")(values)]
    made = XNOR().apply(keras.Model([image, age], outputs))
    assert set(made.report.changed) == {"middle", "joint", "both"}
    assert set(made.report.left) == {"first", "of_age", "one", "other"}


def test_what_is_left_alone_is_said():
    inputs = keras.Input((70_000,))
    model = keras.Model(inputs, layers.Dense(1, name="wide")(inputs))
    left = XNOR(layers=("wide",)).apply(model).report.left
    assert left["wide"] == "each output is a sum of 70,000, fewer than 65,536 are exact"
    model = keras.Sequential(
        [
            keras.Input((9, 4)),
            layers.Conv1D(4, 3, name="first"),
            layers.Conv1D(4, 3, groups=2, name="grouped"),
            layers.Conv1D(4, 3, padding="causal", name="causal"),
            layers.Conv1D(4, 3, name="last"),
        ]
    )
    assert set(XNOR().apply(model).report.changed) == {"grouped", "causal"}
    left = XNOR(input_scale=True).apply(model).report.left
    assert "2 groups" in left["grouped"]
    assert "causal padding" in left["causal"]


def test_unknown_scales_are_refused():
    with pytest.raises(ParameterError, match="scale: received 'channel', expected one of layer, f"):
        XNOR(scale="channel")
