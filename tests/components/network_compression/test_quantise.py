"""Kernels on a grid: against numpy, Keras's and TensorFlow's own rounding, and LiteRT's file."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers, ops

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import layers_by_path
from slimderm.components.network_compression.prune import Prune
from slimderm.components.network_compression.quantise import Quantise, on_grid, rounded
from slimderm.components.network_compression.recipe import Step, compress
from slimderm.components.network_compression.slim_file import inspect, pack, unpack
from slimderm.components.network_compression.sparsify import Sparsify
from slimderm.components.pruning.masks import kernels


def fine_tune(model):
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    generator = np.random.default_rng(2)
    inputs = {
        "image": generator.random((16, 12, 10, 4), np.float32),
        "metadata": generator.random((16, 3), np.float32),
    }
    model.fit(inputs, generator.integers(0, 3, 16), batch_size=8, epochs=2, verbose=0)


def values(model):
    return {path: np.asarray(kernel) for path, kernel in kernels(model).items()}


def grid(kernel, bits):
    """The specification, in numpy's double precision: whole numbers and scales."""
    rows = kernel.reshape(-1, kernel.shape[-1]).astype(np.float64)
    scales = np.abs(rows).max(axis=0) / (2 ** (bits - 1) - 1)
    return np.rint(rows / np.where(scales > 0, scales, 1)), scales


def assert_on_grid(kernel, bits):
    numbers, scales = grid(kernel, bits)
    np.testing.assert_allclose(
        numbers * scales, kernel.reshape(numbers.shape).astype(np.float64), rtol=3e-7
    )
    assert np.abs(numbers).max() == 2 ** (bits - 1) - 1


@pytest.mark.parametrize("bits", range(2, 9))
def test_rounding_is_numpys(bits):
    kernel = np.random.default_rng(bits).standard_normal((3, 3, 5, 7)).astype(np.float32)
    kernel[..., 2] = 0
    numbers, scales = grid(kernel, bits)
    found = np.asarray(on_grid(ops.convert_to_tensor(kernel), bits))
    np.testing.assert_allclose(found.reshape(-1, 7), numbers * scales, rtol=3e-7)
    assert not np.signbit(found[found == 0]).any()
    again = np.asarray(on_grid(ops.convert_to_tensor(found), bits))
    np.testing.assert_allclose(again, found, rtol=3e-7)  # the scale of a scale is a bit beside
    np.testing.assert_array_equal(grid(again, bits)[0], grid(found, bits)[0])


def test_eight_bits_are_those_of_keras():
    kernel = np.random.default_rng(0).standard_normal((40, 6)).astype(np.float32)
    numbers, scale = keras.quantizers.abs_max_quantize(kernel, axis=0)
    found = np.asarray(on_grid(ops.convert_to_tensor(kernel), 8))
    np.testing.assert_allclose(found, np.asarray(numbers) / np.asarray(scale), rtol=1e-5)


@pytest.mark.parametrize("scale", [0.0, 1e-38, 1e-42, 1e30])
def test_channels_of_any_size_stay_finite(scale):
    kernel = np.float32(scale) * np.float32([[1, -0.5], [0.25, 1]])
    found = np.asarray(on_grid(ops.convert_to_tensor(kernel), 8))
    np.testing.assert_allclose(found, kernel, rtol=0.01, atol=1e-30)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_inputs_are_rounded_as_tensorflow_does(bits):
    import tensorflow as tf

    given = np.linspace(-2, 4, 97, dtype=np.float32)
    with tf.GradientTape() as tape:
        variable = tf.constant(given)
        tape.watch(variable)
        ours = rounded(variable, bits, (-1.3, 2.9))
    gradient = tape.gradient(ours, variable)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        theirs = tf.quantization.fake_quant_with_min_max_args(variable, -1.3, 2.9, bits)
    np.testing.assert_allclose(np.asarray(ours), theirs.numpy(), atol=1e-6)
    np.testing.assert_array_equal(np.asarray(gradient), tape.gradient(theirs, variable).numpy())


@pytest.mark.parametrize("tune", [False, True])
def test_kernels_lie_on_the_grid_of_their_bits(tune, convolutional):
    pass_ = Quantise({"second": 4, "nested/*": 2, "*": 8})
    made = pass_.apply(convolutional, fine_tune=fine_tune if tune else None)
    given = {"second": 4, "nested/inside": 2}
    for path, kernel in values(made.model).items():
        assert_on_grid(kernel, given.get(path.removesuffix("/kernel"), 8))
    assert type(layers_by_path(made.model)["first"]) is layers.Conv2D
    assert made.report.changed["second"] == "4 bits and a scale a channel"
    moved = values(pass_.apply(convolutional).model)
    assert tune == any((kernel != moved[path]).any() for path, kernel in values(made.model).items())


def test_a_step_moves_what_is_behind_the_grid():
    """One step of gradient descent on mean squared error: the gradient is that at the grid."""
    generator = np.random.default_rng(0)
    kernel = generator.standard_normal((6, 5)).astype(np.float32)
    kernel[1, :3] = 0
    inputs, targets = generator.standard_normal((4, 6)), generator.standard_normal((4, 5))
    model = keras.Sequential([keras.Input((6,)), layers.Dense(5, use_bias=False, name="only")])
    model.layers[0].kernel.assign(kernel)

    def step(trained):
        trained.compile(keras.optimizers.SGD(0.5), "mse")
        trained.train_on_batch(inputs, targets)

    numbers, scales = grid(kernel, 4)
    gradient = inputs.T @ (2 * (inputs @ (numbers * scales) - targets)) / targets.size
    numbers, scales = grid(np.where(kernel == 0, 0, kernel - 0.5 * gradient), 4)
    made = Quantise(4).apply(model, fine_tune=step).model
    np.testing.assert_allclose(np.asarray(made.layers[0].kernel), numbers * scales, rtol=1e-5)


def test_zeros_stay_zero(convolutional):
    sparse = Sparsify(0.8, 1).apply(convolutional).model
    made = Quantise(4).apply(sparse, fine_tune=fine_tune).model
    for path, kernel in values(sparse).items():
        assert (values(made)[path][kernel == 0] == 0).all()


def test_what_was_trained_computes_what_the_plain_model_does(convolutional, batches):
    seen = {}

    def look(model):
        fine_tune(model)
        seen["outputs"] = np.asarray(model(batches[0][0], training=False))

    made = Quantise(4).apply(convolutional, fine_tune=look)
    outputs = np.asarray(made.model(batches[0][0], training=False))
    np.testing.assert_allclose(outputs, seen["outputs"], rtol=1e-5)


def test_kernels_of_mixed_precision_lie_on_the_grid():
    model = keras.Sequential(
        [keras.Input((6,)), layers.Dense(40, dtype="mixed_bfloat16", name="only")]
    )
    assert_on_grid(np.asarray(Quantise(8).apply(model).model.layers[0].kernel), 8)


def test_inputs_are_rounded_while_training_and_not_after(convolutional, batches):
    """Two bits of an input between 0 and 1 are thirds, which the trained network sees."""
    seen = {}
    thirds = dict(batches[0][0], image=np.round(batches[0][0]["image"] * 3) / 3)
    edges = dict(
        batches[0][0], image=np.concatenate([np.zeros((1, 12, 10, 4)), np.ones((1, 12, 10, 4))])
    )
    edges["metadata"] = batches[0][0]["metadata"][:2]

    def look(model):
        first = keras.Model(model.inputs, model.get_layer("first").output)
        seen["rounded"] = np.asarray(first(batches[0][0]))
        seen["thirds"] = np.asarray(first(thirds))

    made = Quantise(8, activations=2).apply(convolutional, data=[(edges, None)], fine_tune=look)
    np.testing.assert_array_equal(seen["rounded"], seen["thirds"])
    plain = keras.Model(made.model.inputs, made.model.get_layer("first").output)
    np.testing.assert_allclose(np.asarray(plain(thirds)), seen["thirds"], rtol=1e-5, atol=1e-6)
    assert np.abs(np.asarray(plain(batches[0][0])) - seen["rounded"]).max() > 0.01


def test_the_file_is_small_and_bit_for_bit(convolutional):
    """Each weight its bits at most, each channel a scale of four bytes, each bias four."""
    for bits in (8, 4, 2):
        made = Quantise(bits).apply(convolutional).model
        rows = {row.path: row for row in inspect(pack(made)).weights}
        for path, kernel in values(made).items():
            if kernel.size > 1000:
                assert rows[path].coding == "scaled"
                assert rows[path].num_bytes <= kernel.size * bits / 8 + 4 * kernel.shape[-1] + 300
        again = unpack(pack(made))
        for one, other in zip(made.get_weights(), again.get_weights(), strict=True):
            assert one.tobytes() == other.tobytes()


def test_the_edges_int8_has_the_very_kernels(tmp_path):
    """LiteRT's dynamic int8 of the network stores the whole numbers of the grid, and its scales."""
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((64,)), layers.Dense(48, use_bias=False, name="only")])
    model = Quantise(8).apply(model).model
    numbers, scales = grid(np.asarray(model.layers[0].kernel), 8)
    model.export(
        str(tmp_path / "m.tflite"),
        format="litert",
        verbose=False,
        optimizations=[tf.lite.Optimize.DEFAULT],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        interpreter = tf.lite.Interpreter(str(tmp_path / "m.tflite"))
    interpreter.allocate_tensors()
    (held,) = (detail for detail in interpreter.get_tensor_details() if detail["dtype"] is np.int8)
    stored = interpreter.get_tensor(held["index"])
    np.testing.assert_array_equal(stored.T, numbers)
    np.testing.assert_allclose(held["quantization_parameters"]["scales"], scales, rtol=1e-6)


def test_it_follows_on_pruning_in_a_recipe(convolutional):
    def train(model, epochs):
        fine_tune(model)

    steps = (Step(Prune(ratio=0.25), 1), Step(Quantise(4), 1))
    *_, made = compress(convolutional, steps, train=train)
    for kernel in values(made.model).values():
        assert_on_grid(kernel, 4)
    with pytest.raises(ParameterError, match="received Prune after Quantise"):
        list(compress(convolutional, steps[::-1], train=train))


@pytest.mark.parametrize("bits", [0, 1, 9, 33, 2.5, True, {"*": 1}])
def test_wrong_bits_are_refused(bits):
    with pytest.raises(ParameterError, match="expected a whole number from 2 to 8"):
        Quantise(bits)
    if not isinstance(bits, dict):
        with pytest.raises(ParameterError, match="activations: received"):
            Quantise(8, activations=bits)


def test_missing_data_and_unknown_layers_are_refused(convolutional):
    with pytest.raises(ParameterError, match="data: received none"):
        Quantise(8, activations=8).apply(convolutional)
    with pytest.raises(ParameterError, match="data: received no batch"):
        Quantise(8, activations=8).apply(convolutional, data=[])
    with pytest.raises(ParameterError, match="'third', which matches no layer"):
        Quantise({"third": 2}).apply(convolutional)


def test_layers_without_a_plain_kernel_are_left_and_named():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.DepthwiseConv2D(3, name="deep"),
            layers.SeparableConv2D(3, 3, name="apart"),
            layers.Conv2DTranspose(3, 3, name="back"),
            layers.Dense(2),
        ]
    )
    assert Quantise(4).apply(model).report.left == {
        "deep": "a DepthwiseConv2D has no plain kernel",
        "apart": "a SeparableConv2D has no plain kernel",
        "back": "a Conv2DTranspose has no plain kernel",
    }
