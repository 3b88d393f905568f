"""Separable layers: of separable kernels exact, of others the nearest; what is left alone."""

import keras
import numpy as np
import pytest
from keras import layers

from slimderm.components.common.errors import ParameterError
from slimderm.components.network_compression.separable import Separable, nearest

GENERATOR = np.random.default_rng(0)


def model_of(shape, *made):
    return keras.Sequential([keras.Input(shape), *made])


def separable_kernel(window, inputs, filters, several):
    windows = GENERATOR.standard_normal((*window, inputs, several))
    joining = GENERATOR.standard_normal((inputs, several, filters))
    return np.einsum("...im,imf->...if", windows, joining)


@pytest.mark.parametrize("several", [1, 2])
@pytest.mark.parametrize(
    "options",
    [{}, {"padding": "same", "strides": 2}, {"dilation_rate": (2, 2), "use_bias": False}],
)
def test_a_separable_kernel_gives_the_outputs_back(several, options):
    layer = layers.Conv2D(
        8, (3, 4), bias_initializer="normal", activation="tanh", name="conv", **options
    )
    model = model_of((9, 10, 5), layer)
    layer.kernel.assign(separable_kernel((3, 4), 5, 8, several))
    made = Separable(several).apply(model)
    inputs = GENERATOR.random((2, 9, 10, 5), np.float32)
    np.testing.assert_allclose(np.asarray(made.model(inputs)), np.asarray(model(inputs)), atol=1e-5)
    assert type(made.model.get_layer("conv")) is layers.SeparableConv2D
    weights = 5 * several * (12 + 8)
    assert made.report.changed["conv"] == f"480 weights to {weights}, error 0.000"
    assert made.model.count_params() == weights + 8 * layer.use_bias


def test_a_convolution_of_one_dimension_is_replaced():
    layer = layers.Conv1D(8, 5, bias_initializer="normal")
    model = model_of((9, 3), layer)
    layer.kernel.assign(separable_kernel((5,), 3, 8, 1))
    made = Separable().apply(model).model
    inputs = GENERATOR.random((2, 9, 3), np.float32)
    np.testing.assert_allclose(np.asarray(made(inputs)), np.asarray(model(inputs)), atol=1e-5)


@pytest.mark.parametrize("several", [1, 3])
def test_what_is_lost_are_the_discarded_singular_values(several):
    kernel = GENERATOR.standard_normal((3, 3, 4, 7))
    windows, joining, error = nearest(kernel, several)
    near = np.einsum("hwim,imf->hwif", windows, joining.reshape(4, several, 7))
    lost = sum(
        (np.linalg.svd(kernel[:, :, i].reshape(9, 7), compute_uv=False)[several:] ** 2).sum()
        for i in range(4)
    )
    assert ((kernel - near) ** 2).sum() == pytest.approx(lost)
    assert error == pytest.approx(np.sqrt(lost / (kernel**2).sum()))


def test_what_cannot_be_separable_is_left_alone_and_said():
    model = model_of(
        (16, 16, 4),
        layers.Conv2D(8, 3, groups=2, name="groups"),
        layers.Conv2D(8, 3, strides=(1, 2), name="strides"),
        layers.Conv2D(8, 1, name="point"),
        layers.Conv2D(2, 3, name="few"),
    )
    left = Separable(2).apply(model).report.left
    assert "2 groups" in left["groups"]
    assert "strides (1, 2)" in left["strides"]
    assert "at most 1 windows" in left["point"]
    assert "176 weights instead of 144: no fewer" in left["few"]
    causal = model_of((9, 4), layers.Conv1D(8, 3, padding="causal", name="past"))
    assert "causal" in Separable().apply(causal).report.left["past"]


def test_it_is_saved_read_and_trained_where_asked(convolutional, batches, tmp_path):
    def train(model):
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.train_on_batch(*batches[0])

    plain = Separable().apply(convolutional)
    assert set(plain.report.changed) == {"first", "second"}
    trained = Separable().apply(convolutional, fine_tune=train).model
    layer, other = (one.get_layer("first") for one in (plain.model, trained))
    assert (np.asarray(layer.depthwise_kernel) != np.asarray(other.depthwise_kernel)).any()
    trained.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras", compile=False)
    np.testing.assert_array_equal(again(batches[0][0]), trained(batches[0][0]))


@pytest.mark.parametrize("several", [0, 1.5, True, -1])
def test_wrong_multipliers_are_refused(several):
    with pytest.raises(ParameterError, match="depth_multiplier: received"):
        Separable(several)
