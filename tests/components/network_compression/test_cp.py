"""CP: kernels that are sums of products, tensorly's error, and what is left alone."""

import keras
import numpy as np
import pytest
from keras import layers
from tensorly import cp_to_tensor
from tensorly.decomposition import parafac

from slimderm.components.common.errors import ParameterError
from slimderm.components.network_compression.cp import CP
from slimderm.components.network_compression.parafac import decompose

GENERATOR = np.random.default_rng(0)


def planted(shape, rank):
    factors = [GENERATOR.standard_normal((size, rank)) for size in shape]
    return np.einsum("hr,wr,mr,nr->hwmn", *factors)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("options", [{"strides": (2, 3)}, {"dilation_rate": (2, 3)}, {}])
def test_a_kernel_of_low_rank_gives_the_outputs_back(options, padding):
    layer = layers.Conv2D(
        8, (3, 4), padding=padding, bias_initializer="normal", activation="tanh", **options
    )
    model = keras.Sequential([keras.Input((11, 13, 6)), layer])
    layer.kernel.assign(0.1 * planted((3, 4, 6, 8), 2))
    made = CP(rank=2).apply(model)
    assert len(made.model.layers) == 4
    assert made.report.changed[layer.name] == "rank 2, 576 weights to 42, error 0.000"
    inputs = GENERATOR.random((2, 11, 13, 6), np.float32)
    np.testing.assert_allclose(np.asarray(made.model(inputs)), np.asarray(model(inputs)), atol=1e-4)


@pytest.mark.parametrize("rank", [2, 7])
def test_the_error_is_near_that_of_tensorly(rank):
    kernel = planted((3, 3, 8, 10), 4) + 0.5 * GENERATOR.standard_normal((3, 3, 8, 10))
    ours = np.linalg.norm(kernel - decompose(kernel, rank).product())
    found = parafac(kernel, rank, n_iter_max=300, init="random", random_state=0)
    assert ours < 1.03 * np.linalg.norm(kernel - cp_to_tensor(found))


def test_the_start_is_that_of_the_seed():
    kernel = GENERATOR.standard_normal((3, 3, 4, 5))
    one, same, other = (decompose(kernel, 3, seed).product() for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_the_share_is_kept_to_and_the_model_is_saved_and_read(convolutional, batches, tmp_path):
    made = CP(share=0.4).apply(convolutional)
    for said in made.report.changed.values():
        before, after = (
            int(part.split()[-1].replace(",", ""))
            for part in said.replace(" weights", "").split(", error")[0].split(" to ")
        )
        assert 0.2 * before < after <= 0.4 * before
    assert set(made.report.changed) == {"first", "second"}
    made.model.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_array_equal(again(batches[0][0]), made.model(batches[0][0]))


def test_zeros_stay_zeros():
    assert not decompose(np.zeros((3, 3, 4, 5)), 2).product().any()


def test_what_is_left_alone_is_said():
    model = keras.Sequential(
        [
            keras.Input((16, 16, 4)),
            layers.Conv2D(8, 3, groups=2, name="groups"),
            layers.Conv2D(8, 1, name="point"),
            layers.Conv2D(2, 3, name="few"),
        ]
    )
    left = CP(rank=9).apply(model).report.left
    assert "2 groups" in left["groups"]
    assert "one place" in left["point"]
    assert left["few"] == "rank 9 has 144 weights, its kernel has 144"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "expected exactly one of them"),
        ({"rank": 2, "share": 0.5}, "expected exactly one of them"),
        ({"rank": 0}, "rank: received 0, expected a whole number"),
        ({"share": 1.0}, "share: received 1.0, expected one above 0 and below 1"),
        ({"share": float("nan")}, "share: received nan"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ParameterError, match=message):
        CP(**settings)
