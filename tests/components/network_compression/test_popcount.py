"""Counting bits: exact against the product of ±1, packed networks against Keras."""

import keras
import numpy as np
import pytest
from keras import layers

from slimderm import load_slim, packed, save_slim
from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import layers_by_path
from slimderm.components.network_compression import popcount
from slimderm.components.network_compression.binarise import Binarise
from slimderm.components.network_compression.xnor import XNOR


def signs(*shape):
    return np.random.default_rng(sum(shape)).choice(np.float32([-1, 1]), shape)


@pytest.mark.parametrize("number", [1, 63, 64, 65, 200, 1152])
def test_counting_bits_is_exact_against_the_product(number):
    left, right = signs(7, number), signs(number, 11)
    found = popcount.product(popcount.pack(left), popcount.pack(right.T).T, number)
    np.testing.assert_array_equal(found, left.astype(int) @ right.astype(int))
    assert found.dtype == np.int32


def test_bits_are_those_of_numpy():
    values = signs(5, 130)
    packed_bits = popcount.pack(values).view(np.uint8)
    found = np.unpackbits(packed_bits, axis=1, bitorder="little")
    np.testing.assert_array_equal(found[:, :130], values > 0)
    assert not found[:, 130:].any()


@pytest.mark.parametrize("value", [0, 2, 0.5, np.nan, np.inf])
def test_what_is_no_sign_is_refused(value):
    values = signs(3, 70)
    values[1, 68] = value
    with pytest.raises(ParameterError, match="neither 1 nor -1"):
        popcount.pack(values)


def binary(layer, shape, **settings):
    """A model of one binary layer with normalised inputs."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape)
    model = keras.Model(inputs, layer(inputs))
    model.layers[-1].bias.assign(np.random.default_rng(0).standard_normal(layer.bias.shape))
    return XNOR(layers=("*",), **settings).apply(model).model


def check_same(model, values):
    """Bit for bit, batch by batch: a tanh of TensorFlow's depends on the batch's size."""
    found = packed(model)
    batches = [model(values[start : start + 2]) for start in range(0, len(values), 2)]
    expected = np.concatenate([np.asarray(batch) for batch in batches])
    np.testing.assert_array_equal(found.predict(values, batch_size=2), expected)
    assert len(np.unique(expected)) > 20
    assert not found.left
    return found


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("channels", [5, 64, 70])
@pytest.mark.parametrize(
    "options",
    [
        {"strides": (2, 3)},
        {"dilation_rate": (2, 3)},
        {"strides": 2, "activation": "relu"},
    ],
)
def test_convolutions_are_those_of_keras_bit_for_bit(padding, channels, options):
    layer = layers.Conv2D(6, (3, 4), padding=padding, **options)
    values = np.random.default_rng(0).standard_normal((5, 9, 11, channels)).astype(np.float32)
    check_same(binary(layer, (9, 11, channels)), values)


@pytest.mark.parametrize("input_scale", [False, True])
@pytest.mark.parametrize("scale", ["layer", "filter"])
def test_scales_are_those_of_keras_bit_for_bit(scale, input_scale):
    layer = layers.Conv2D(6, 3, padding="same", activation="tanh")
    values = np.random.default_rng(0).standard_normal((5, 8, 8, 33)).astype(np.float32)
    model = binary(layer, (None, None, 33), scale=scale, input_scale=input_scale)
    check_same(model, values)
    check_same(model, values[:, 3:])  # another size


@pytest.mark.parametrize("shape", [(70,), (4, 70), (2, 3, 130)])
def test_dense_layers_are_those_of_keras_bit_for_bit(shape):
    values = np.random.default_rng(0).standard_normal((5, *shape)).astype(np.float32)
    check_same(binary(layers.Dense(9, "elu"), shape), values)


def test_nested_and_shared_layers_several_inputs_and_files(convolutional, batches, tmp_path):
    made = XNOR().apply(convolutional, data=batches).model
    inputs = batches[1][0]
    found = packed(made)
    assert set(found.counted) == {
        "second/second_binary", "nested/inside/inside_binary", "twice/twice_binary"
    }  # fmt: skip
    expected = np.asarray(made(inputs))
    np.testing.assert_array_equal(found.predict(inputs, batch_size=7), expected)
    save_slim(made, tmp_path / "made.slim")
    again = packed(load_slim(tmp_path / "made.slim"))
    np.testing.assert_array_equal(again.predict(inputs), expected)
    with pytest.raises(ParameterError, match="received no image"):
        found.predict({name: each[:0] for name, each in inputs.items()})


def test_several_outputs_keep_their_structure():
    inputs = keras.Input((6,))
    outputs = {"one": layers.Dense(2)(inputs), "other": layers.Dense(3)(inputs)}
    model = XNOR(layers=("*",)).apply(keras.Model(inputs, outputs)).model
    values = np.random.default_rng(0).standard_normal((5, 6)).astype(np.float32)
    found, expected = packed(model).predict(values, batch_size=2), model(values)
    assert found.keys() == expected.keys()
    for name, each in expected.items():
        np.testing.assert_array_equal(found[name], np.asarray(each))


def test_it_does_not_follow_the_model():
    model = binary(layers.Dense(9), (70,))
    values = np.random.default_rng(0).standard_normal((5, 70)).astype(np.float32)
    found = packed(model)
    before = found.predict(values)
    for weight in model.weights:
        weight.assign(weight + 1)
    np.testing.assert_array_equal(found.predict(values), before)


def test_what_keras_computes_all_the_same_is_said():
    model = keras.Sequential(
        [
            keras.Input((6, 4, 8)),
            layers.Conv2D(8, 3, padding="same", groups=2, name="grouped"),
            layers.Conv2D(8, 3, padding="same", dtype="mixed_float16", name="half"),
            layers.Reshape((24, 8)),
            layers.Conv1D(8, 3, name="line"),
            layers.Dense(8, name="trained_on"),
            layers.Dense(8, name="fine"),
        ]
    )
    made = XNOR(layers=("*",)).apply(model).model
    kernel = layers_by_path(made)["trained_on/trained_on_binary"].kernel
    kernel.assign(kernel + 0.01)
    found = packed(made)
    assert found.counted == ("fine/fine_binary",)
    reasons = {path.partition("/")[0]: why for path, why in found.left.items()}
    assert reasons == {
        "grouped": "it has 2 groups",
        "half": "it computes in float16, not in float32",
        "line": "it is a Conv1D; dense layers and Conv2D count bits",
        "trained_on": "its kernel has more than two values a filter",
    }
    values = np.random.default_rng(0).standard_normal((3, 6, 4, 8)).astype(np.float32)
    np.testing.assert_array_equal(found.predict(values), np.asarray(made(values)))


def test_models_without_binary_layers_are_refused(dense):
    for model in (dense, Binarise().apply(dense).model):  # inputs that are no signs
        with pytest.raises(ParameterError, match="no layer that can count bits, expected one"):
            packed(model)
    with pytest.raises(ParameterError, match=r"expected a keras\.Model"):
        packed("model.keras")
    line = keras.Sequential([keras.Input((9, 4)), layers.Conv1D(4, 3)])
    with pytest.raises(ParameterError, match="it is a Conv1D"):
        packed(XNOR(layers=("*",)).apply(line).model)


def test_inputs_without_a_sign_and_no_batch_are_refused():
    found = packed(binary(layers.Dense(9), (70,)))
    with pytest.raises(ParameterError, match="neither 1 nor -1"):
        found.predict(np.full((2, 70), np.nan, np.float32))
    with pytest.raises(ParameterError, match="batch_size: received 0"):
        found.predict(np.ones((2, 70), np.float32), batch_size=0)
