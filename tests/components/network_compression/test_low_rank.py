"""Low rank: against numpy's SVD and the outputs of the whole kernel, and what is left alone."""

import keras
import numpy as np
import pytest
from keras import layers

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import layers_by_path
from slimderm.components.network_compression import factors
from slimderm.components.network_compression.input_moments import input_moments
from slimderm.components.network_compression.low_rank import LowRank
from slimderm.components.network_compression.ranks import Ranks
from slimderm.components.network_compression.rewrite import rewrite
from slimderm.components.pruning.budget import saved_bytes
from slimderm.components.pruning.method import Budget


def outputs(model, batches):
    return np.concatenate([np.asarray(model(inputs, training=False)) for inputs, _ in batches])


def number(layer):
    return np.asarray(layer.kernel, np.float64)


def full_chain(layer, scheme):
    """The layer's own kernel in two factors of full rank, by numpy's SVD."""
    found = []
    for matrix in factors.split(layer, scheme):
        left, values, right = np.linalg.svd(matrix, full_matrices=False)
        found.append((left * values, right))
    return scheme.to_chain(layer, found)


@pytest.mark.parametrize("name", factors.SCHEMES)
def test_factors_of_full_rank_give_the_outputs_back(name, convolutional, batches):
    scheme = factors.get(name)
    chains = {
        path: full_chain(layer, scheme)
        for path, layer in layers_by_path(convolutional).items()
        if type(layer) in scheme.kinds
    }
    made = rewrite(convolutional, chains)
    np.testing.assert_allclose(
        outputs(made, batches), outputs(convolutional, batches), atol=2e-6, rtol=1e-4
    )
    assert set(layers_by_path(convolutional)) < set(layers_by_path(made))


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("name", ["channel", "spatial"])
@pytest.mark.parametrize(
    "options", [{"strides": (2, 3)}, {"dilation_rate": (2, 3)}, {"groups": 2}, {"strides": 1}]
)
def test_stride_padding_dilation_and_groups_stay(name, padding, options):
    model = keras.Sequential(
        [
            keras.Input((11, 13, 4)),
            layers.Conv2D(6, (3, 4), padding=padding, bias_initializer="normal", **options),
        ]
    )
    scheme = factors.get(name)
    made = rewrite(model, {model.layers[0].name: full_chain(model.layers[0], scheme)})
    inputs = np.random.default_rng(0).random((2, 11, 13, 4), np.float32)
    np.testing.assert_allclose(np.asarray(made(inputs)), np.asarray(model(inputs)), atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "shape"), [(layers.Conv1D, (9, 2)), (layers.Conv3D, (5, 6, 7, 2))]
)
def test_convolutions_of_one_and_three_dimensions_are_factorised(kind, shape):
    model = keras.Sequential([keras.Input(shape), kind(12, 3)])
    made = rewrite(
        model, {model.layers[0].name: full_chain(model.layers[0], factors.get("channel"))}
    )
    inputs = np.random.default_rng(0).random((2, *shape), np.float32)
    np.testing.assert_allclose(np.asarray(made(inputs)), np.asarray(model(inputs)), atol=1e-5)


def test_plain_factors_lose_the_discarded_singular_values(convolutional):
    before = number(layers_by_path(convolutional)["nested/inside"])
    made = LowRank(Ranks(rank=4), layers=("nested/*",)).apply(convolutional)
    after = layers_by_path(made.model)
    product = number(after["nested/inside_factor"]) @ number(after["nested/inside"])
    values = np.linalg.svd(before, compute_uv=False)
    assert np.linalg.norm(before - product) == pytest.approx(
        np.sqrt((values[4:] ** 2).sum()), rel=1e-5
    )
    assert after["nested/inside"].activation is keras.activations.relu


def test_data_aware_factors_lose_the_least_of_the_outputs(convolutional, batches):
    """Against the best of rank 3 that numpy finds for the outputs themselves (Eckart, Young)."""
    layer = layers_by_path(convolutional)["nested/inside"]
    reader = keras.Model(convolutional.input, convolutional.get_layer("flat").output)
    rows = outputs(reader, batches).astype(np.float64)
    whole = rows @ number(layer)
    values = np.linalg.svd(whole, compute_uv=False)
    lost = {}
    for aware in (False, True):
        made = LowRank(Ranks(rank=3), data_aware=aware, layers=("nested/inside",)).apply(
            convolutional, data=batches
        )
        after = layers_by_path(made.model)
        product = number(after["nested/inside_factor"]) @ number(after["nested/inside"])
        lost[aware] = np.linalg.norm(whole - rows @ product)
    assert lost[True] == pytest.approx(np.sqrt((values[3:] ** 2).sum()), rel=1e-4)
    assert lost[True] < lost[False]


def test_each_layer_is_fitted_to_what_compressed_layers_before_it_give(convolutional, batches):
    both = LowRank(Ranks(rank=2), "channel", data_aware=True).apply(convolutional, data=batches)
    first = LowRank(Ranks(rank=2), "channel", data_aware=True, layers=("first",)).apply(
        convolutional, data=batches
    )
    then = LowRank(Ranks(rank=2), "channel", data_aware=True, layers=("second",)).apply(
        first.model, data=batches
    )
    np.testing.assert_allclose(
        outputs(both.model, batches), outputs(then.model, batches), atol=1e-5
    )


@pytest.mark.parametrize("options", [{}, {"padding": "same", "strides": 2}, {"dilation_rate": 2}])
def test_moments_are_those_of_the_windows_that_a_kernel_sees(options):
    """A kernel with one 1 picks one value of each window: its mean square is on the diagonal."""
    model = keras.Sequential(
        [keras.Input((7, 6, 2)), layers.Conv2D(12, (3, 2), use_bias=False, **options)]
    )
    layer = model.layers[0]
    layer.kernel.assign(np.eye(12, dtype=np.float32).reshape(3, 2, 2, 12))
    inputs = np.random.default_rng(0).random((4, 7, 6, 2), np.float32)
    [moment] = input_moments(model, {"conv": layer}, [(inputs, None)])["conv"]
    seen = np.asarray(model(inputs), np.float64).reshape(-1, 12)
    np.testing.assert_allclose(moment, seen.T @ seen / len(seen), rtol=1e-5)


def test_energy_keeps_the_smallest_rank_that_holds_it(convolutional):
    made = LowRank(Ranks(energy=0.7)).apply(convolutional)
    for path, said in made.report.changed.items():
        values = np.linalg.svd(number(layers_by_path(convolutional)[path]), compute_uv=False) ** 2
        rank = int(said.split(" to ")[1].split(",")[0])
        assert values[:rank].sum() >= 0.7 * values.sum() > values[: rank - 1].sum()
    assert made.report.changed


@pytest.mark.parametrize(
    ("kind", "cost"),
    [("parameters", lambda model: model.count_params()), ("bytes", saved_bytes)],
)
def test_a_budget_is_met_and_used(kind, cost, convolutional):
    least = cost(LowRank(Ranks(rank=1)).apply(convolutional).model)
    limit = (least + cost(convolutional)) / 2
    made = LowRank(Ranks(budget=Budget(kind, limit))).apply(convolutional)
    assert 0.9 * limit < cost(made.model) <= limit


def test_what_would_grow_is_left_alone_and_said(convolutional, batches):
    made = LowRank(Ranks(energy=1.0)).apply(convolutional)
    assert not made.report.changed
    assert "rank 3 of 3 has 114 weights, its kernel has 105" in made.report.left["last"]
    assert "nothing was changed" in str(made.report)
    np.testing.assert_array_equal(outputs(made.model, batches), outputs(convolutional, batches))


def test_it_is_saved_read_and_trained_as_any_model(convolutional, batches, tmp_path):
    made = LowRank(Ranks(rank=2)).apply(convolutional).model
    made.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_array_equal(outputs(again, batches), outputs(made, batches))
    again.compile("sgd", "sparse_categorical_crossentropy")
    before = number(again.get_layer("twice_factor"))
    again.train_on_batch(*batches[0])
    assert (number(again.get_layer("twice_factor")) != before).any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rank": 0}, "rank: received 0, expected a whole number of at least 1"),
        ({"rank": True}, "rank: received True"),
        ({"energy": 0.0}, "energy: received 0.0, expected a share above 0, at most 1"),
        ({"energy": 1.5}, "energy: received 1.5"),
        ({"energy": float("nan")}, "energy: received nan"),
        ({}, "expected exactly one of them"),
        ({"rank": 2, "energy": 0.5}, "expected exactly one of them"),
    ],
)
def test_wrong_ranks_are_refused(settings, message):
    with pytest.raises(ParameterError, match=message):
        Ranks(**settings)


@pytest.mark.parametrize(
    ("settings", "data", "message"),
    [
        (
            {"ranks": Ranks(rank=33)},
            None,
            "received 33, expected at most 32, the largest full rank",
        ),
        ({"ranks": Ranks(rank=2), "data_aware": True}, None, "data: received none"),
        ({"ranks": Ranks(rank=2), "data_aware": True}, [], "data: received no batch"),
        ({"ranks": Ranks(budget=Budget("parameters", 9))}, None, "expected at least"),
        ({"ranks": Ranks(rank=2), "layers": ("nowhere",)}, None, "matches no layer of its kind"),
    ],
)
def test_what_cannot_be_done_is_said(settings, data, message, convolutional):
    with pytest.raises(ParameterError, match=message):
        LowRank(**settings).apply(convolutional, data=data)


def test_an_unknown_scheme_and_one_that_sees_no_data_are_refused():
    with pytest.raises(ParameterError, match="scheme: received 'tall', expected one of dense"):
        LowRank(Ranks(rank=1), "tall")
    with pytest.raises(ParameterError, match="received scheme spatial, expected one of dense"):
        LowRank(Ranks(rank=1), "spatial", data_aware=True)


def test_weights_that_are_not_finite_are_refused():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="broken")])
    model.layers[0].kernel.assign(np.full((4, 4), np.nan))
    with pytest.raises(ParameterError, match="received broken with a kernel that is not finite"):
        LowRank(Ranks(rank=1)).apply(model)


def test_subclassed_and_unbuilt_models_are_refused():
    class Own(keras.Model):
        pass

    with pytest.raises(ParameterError, match="subclassed"):
        LowRank(Ranks(rank=1)).apply(Own())
    with pytest.raises(ParameterError, match="not built"):
        LowRank(Ranks(rank=1)).apply(keras.Sequential([layers.Dense(2)]))
