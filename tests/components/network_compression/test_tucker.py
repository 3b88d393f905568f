"""Tucker-2: against tensorly, the outputs of the whole kernel, and what is left alone."""

import re

import keras
import numpy as np
import pytest
import tensorly
from keras import layers
from tensorly.decomposition import partial_tucker

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import layers_by_path
from slimderm.components.network_compression import hosvd
from slimderm.components.network_compression.ranks import Ranks
from slimderm.components.network_compression.rewrite import rewrite
from slimderm.components.network_compression.tucker import Tucker
from slimderm.components.network_compression.tucker_layers import kernels, to_chain
from slimderm.components.pruning.method import Budget


def decaying(places=9, inputs=24, outputs=36, decay=8.0):
    """A kernel whose singular values fall, as those of trained ones do."""
    generator = np.random.default_rng(0)
    kernel = generator.standard_normal((places, inputs, outputs))
    for mode in (inputs, outputs):
        basis = np.linalg.qr(generator.standard_normal((mode, mode)))[0]
        kernel = np.swapaxes(kernel, 1, 2) @ (basis * np.exp(-np.arange(mode) / decay))
    return kernel if kernel.shape[1:] == (inputs, outputs) else np.swapaxes(kernel, 1, 2)


def relative(kernel, near):
    return np.linalg.norm(kernel - near) / np.linalg.norm(kernel)


@pytest.mark.parametrize("ranks", [(5, 7), (12, 3), (1, 1), (2, 18)])
@pytest.mark.parametrize(
    ("algorithm", "decay", "more"),
    [
        ("hooi", 8.0, 1e-4),
        ("hooi", 1000.0, 1e-4),
        ("randomised", 8.0, 0.002),
        ("randomised", 1000.0, 0.01),
    ],
)
def test_the_error_is_that_of_tensorly(algorithm, decay, more, ranks):
    """Also where singular values hardly fall, and the start is far from the best."""
    kernel = decaying(decay=decay)
    (core, factors), _ = partial_tucker(kernel, rank=list(ranks), modes=[1, 2])
    theirs = relative(kernel, tensorly.tenalg.multi_mode_dot(core, factors, modes=[1, 2]))
    ours = relative(kernel, hosvd.get(algorithm)(kernel, ranks, 0).product())
    assert 0.999 * theirs < ours < (1 + more) * theirs


@pytest.mark.parametrize("algorithm", hosvd.ALGORITHMS)
def test_a_kernel_of_low_rank_is_found_again(algorithm):
    generator = np.random.default_rng(0)
    first, last = generator.standard_normal((10, 3)), generator.standard_normal((4, 12))
    kernel = first @ generator.standard_normal((6, 3, 4)) @ last
    parts = hosvd.get(algorithm)(kernel, (3, 4), 1)
    np.testing.assert_allclose(parts.product(), kernel, atol=1e-10)
    np.testing.assert_allclose(parts.first.T @ parts.first, np.eye(3), atol=1e-12)
    for mode, found in enumerate(hosvd.spectra(kernel)):
        unfolded = np.moveaxis(kernel, mode + 1, 0).reshape(kernel.shape[mode + 1], -1)
        values = np.linalg.svd(unfolded, compute_uv=False)
        np.testing.assert_allclose(found, values**2, atol=1e-8)


def test_the_sketch_is_that_of_its_seed():
    kernel = decaying()
    one, same, other = (hosvd.randomised(kernel, (4, 4), seed).product() for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def full_chain(layer, algorithm="randomised", start=0):
    """All three layers, at full rank."""
    found = kernels(layer)
    ranks = tuple(len(spectrum) for spectrum in hosvd.spectra(found[0]))
    return to_chain(layer, [hosvd.get(algorithm)(kernel, ranks, start) for kernel in found])


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("algorithm", hosvd.ALGORITHMS)
@pytest.mark.parametrize(
    "options", [{"strides": (2, 3)}, {"dilation_rate": (2, 3)}, {"groups": 2}, {"strides": 1}]
)
def test_full_rank_gives_the_outputs_back(algorithm, padding, options):
    layer = layers.Conv2D(
        6, (3, 4), padding=padding, bias_initializer="normal", activation="tanh", **options
    )
    model = keras.Sequential([keras.Input((11, 13, 4)), layer])
    chain = full_chain(layer, algorithm)
    assert len(chain) == 3
    made = rewrite(model, {layer.name: chain})
    assert made.layers[-1].name == layer.name
    inputs = np.random.default_rng(0).random((2, 11, 13, 4), np.float32)
    np.testing.assert_allclose(np.asarray(made(inputs)), np.asarray(model(inputs)), atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "shape", "options"),
    [
        (layers.Conv1D, (9, 2), {"padding": "causal"}),
        (layers.Conv3D, (5, 6, 7, 2), {"strides": 2}),
    ],
)
def test_convolutions_of_one_and_three_dimensions_are_decomposed(kind, shape, options):
    model = keras.Sequential([keras.Input(shape), kind(5, 3, **options)])
    made = rewrite(model, {model.layers[0].name: full_chain(model.layers[0])})
    inputs = np.random.default_rng(0).random((2, *shape), np.float32)
    np.testing.assert_allclose(np.asarray(made(inputs)), np.asarray(model(inputs)), atol=1e-5)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("rank", [(3, 4), (8, 3), (3, 16)])
def test_layers_compute_with_the_approximated_kernel(rank, groups):
    """Also where a side is full, and its 1×1 convolution is left out."""
    layer = layers.Conv2D(16 * groups, 3, bias_initializer="normal", groups=groups, name="conv")
    model = keras.Sequential([keras.Input((7, 6, 8 * groups)), layer])
    made = Tucker(Ranks(rank=rank), "hooi").apply(model)
    near = [hosvd.hooi(kernel, rank).product() for kernel in kernels(layer)]
    wanted = keras.models.clone_model(model)
    kernel = np.concatenate(near, axis=-1).reshape(layer.kernel.shape)
    wanted.layers[0].set_weights([kernel, layer.bias])
    inputs = np.random.default_rng(0).random((2, 7, 6, 8 * groups), np.float32)
    np.testing.assert_allclose(np.asarray(made.model(inputs)), wanted(inputs), atol=1e-5)
    assert [one.name for one in made.model.layers] == [
        *(["conv_first"] if rank[0] < 8 else []),
        *(["conv_core"] if rank[1] < 16 else []),
        "conv",
    ]
    weights = sum(np.size(one.kernel) for one in made.model.layers)
    error = relative(np.asarray(layer.kernel, np.float64), kernel)
    assert (
        f"{kernel.size:,} weights to {weights:,}, error {error:.3f}" in made.report.changed["conv"]
    )


def test_energy_is_held_on_both_sides(convolutional):
    made = Tucker(Ranks(energy=0.6)).apply(convolutional)
    before = layers_by_path(convolutional)
    for path, said in made.report.changed.items():
        ranks = map(int, re.search(r"to \((\d+), (\d+)\)", said).groups())
        for mode, rank in enumerate(ranks):
            kernel = np.moveaxis(np.asarray(before[path].kernel, np.float64), 2 + mode, 0)
            squares = np.linalg.svd(kernel.reshape(len(kernel), -1), compute_uv=False) ** 2
            assert squares[:rank].sum() >= 0.6 * squares.sum() > squares[: rank - 1].sum()
    assert made.report.changed


def test_ranks_of_a_noisy_kernel_are_found_on_both_sides():
    generator = np.random.default_rng(0)
    first, last = (
        np.linalg.qr(generator.standard_normal((size, rank)))[0]
        for size, rank in ((32, 3), (48, 5))
    )
    kernel = 20 * first @ generator.standard_normal((9, 3, 5)) @ last.T
    layer = layers.Conv2D(48, 3, name="conv")
    model = keras.Sequential([keras.Input((5, 5, 32)), layer])
    layer.kernel.assign((kernel + generator.standard_normal(kernel.shape)).reshape(3, 3, 32, 48))
    made = Tucker(Ranks(evbmf=True)).apply(model)
    assert "ranks (32, 48) to (3, 5)" in made.report.changed["conv"]


def test_a_budget_is_met_and_used():
    model = keras.Sequential(
        [keras.Input((6, 6, 12)), layers.Conv2D(16, 3), layers.Conv2D(24, (3, 2), use_bias=False)]
    )
    limit = model.count_params() // 2
    made = Tucker(Ranks(budget=Budget("parameters", limit))).apply(model)
    assert 0.95 * limit < made.model.count_params() <= limit


def test_nested_and_shared_convolutions_are_replaced_at_each_call(tmp_path):
    shared = layers.Conv2D(12, 3, padding="same", name="shared")
    deep = layers.Conv2D(12, 3, name="deep")
    inner = keras.Sequential([keras.Input((6, 6, 12)), deep], name="inner")
    inputs = keras.Input((6, 6, 12))
    model = keras.Model(inputs, inner(shared(shared(inputs))))
    made = Tucker(Ranks(rank=(4, 5))).apply(model).model
    paths = set(layers_by_path(made))
    assert {"shared_first", "shared_core", "shared", "inner/deep_first", "inner/deep"} < paths
    made.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras")
    values = np.random.default_rng(0).random((2, 6, 6, 12), np.float32)
    np.testing.assert_array_equal(np.asarray(again(values)), np.asarray(made(values)))


def test_what_would_grow_and_what_has_one_place_is_left_alone_and_said():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 6)),
            layers.Conv2D(8, 3, name="wide"),
            layers.Conv2D(4, 1, name="point"),
            layers.Conv2D(4, 3, groups=4, name="depthwise"),
        ]
    )
    made = Tucker(Ranks(energy=1.0)).apply(model)
    assert not made.report.changed
    left = made.report.left
    assert "ranks (6, 8) to (6, 8), 432 weights to 432: no fewer" in left["wide"]
    assert "one place" in left["point"]
    assert "no fewer" in left["depthwise"]


def test_ranks_that_are_of_no_use_are_cut():
    """A core of p places and s outputs has at most p·s independent inputs."""
    model = keras.Sequential([keras.Input((9, 32)), layers.Conv1D(32, 3, name="conv")])
    made = Tucker(Ranks(rank=(20, 2))).apply(model)
    assert "to (6, 2)" in made.report.changed["conv"]


def test_it_is_trained_where_asked(convolutional):
    seen = []
    made = Tucker(Ranks(rank=2)).apply(convolutional, fine_tune=seen.append)
    assert seen == [made.model]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ranks": Ranks(rank=25)}, "received 25, expected at most 24, the largest full rank"),
        ({"ranks": Ranks(rank=(17, 2))}, "received 17, expected at most 16"),
        ({"ranks": Ranks(budget=Budget("parameters", 9))}, "expected at least"),
        ({"ranks": Ranks(rank=2), "layers": ("last",)}, "matches no layer of its kind"),
    ],
)
def test_what_cannot_be_done_is_said(settings, message, convolutional):
    with pytest.raises(ParameterError, match=message):
        Tucker(**settings).apply(convolutional)


def test_contradictory_settings_are_refused():
    with pytest.raises(ParameterError, match="received 'cp', expected one of randomised, hooi"):
        Tucker(Ranks(rank=1), "cp")
    with pytest.raises(ParameterError, match="faster_only: received it with a budget"):
        Tucker(Ranks(budget=Budget("bytes", 9)), faster_only=True)
