import keras
import numpy as np
import pytest

from slimderm.components.common.errors import ParameterError
from slimderm.components.keras_support.seeding import seeded
from slimderm.components.keras_support.statistics import recompute_statistics
from slimderm.components.model_graph.cost import multiply_accumulates
from slimderm.components.training.build import build, metadata_branch
from slimderm.components.training.counts import count_parameters
from slimderm.components.training.networks import NETWORKS, get
from slimderm.components.training.networks.network import feature_map

BRANCH = (3 * 4 + 4) + (4 * 6 + 6) + (6 * 2 + 2) + (2 * 1 + 1) + 4 * (4 + 6 + 2 + 1)

# Each by hand from tables 1 to 3 and section 4.1: weights, biases, four numbers for each normalised
# channel or feature, then the head with four classes.
HAND_COUNTS = {
    "lenet5": (5 * 5 * 3 * 6 + 6) + 4 * 6 + (5 * 5 * 6 * 16 + 16) + 4 * 16
    + (47 * 22 * 16 * 84 + 84) + (84 * 120 + 120) + 4 * 120
    + BRANCH + (121 * 16 + 16) + (16 * 4 + 4),
    "alexnet": (25 * 3 * 64 + 64) + (25 * 64 * 192 + 192) + (9 * 192 * 384 + 384)
    + (9 * 384 * 384 + 384) + (9 * 384 * 256 + 256) + 4 * (64 + 192 + 384 + 384 + 256)
    + (12 * 6 * 256 * 1024 + 1024) + (1024 * 1024 + 1024) + (1024 * 512 + 512) + 4 * 512
    + BRANCH + (513 * 8 + 8) + (8 * 4 + 4),
    "custom1": (49 * 3 * 16 + 16) + (25 * 16 * 48 + 48) + (9 * 48 * 92 + 92)
    + (9 * 92 * 192 + 192) + (9 * 192 * 192 + 192) + (9 * 192 * 256 + 256)
    + 4 * (16 + 48 + 92 + 192 + 192 + 256)
    + (4 * 2 * 256 * 1024 + 1024) + (1024 * 1024 + 1024) + (1024 * 512 + 512) + 4 * 512
    + BRANCH + (513 * 8 + 8) + (8 * 4 + 4),
    "custom2": (25 * 3 * 16 + 16) + (49 * 16 * 32 + 32) + (9 * 32 * 64 + 64)
    + (9 * 64 * 96 + 96) + (9 * 96 * 192 + 192) + 4 * (16 + 32 + 64 + 96 + 192)
    + 2 * (9 * 192 * 192 + 192) + 4 * 2 * 192
    + (9 * 192 * 256 + 256) + (9 * 256 * 256 + 256) + (192 * 256 + 256) + 4 * 2 * 256
    + (7 * 4 * 256 * 1024 + 1024) + (1024 * 1024 + 1024) + (1024 * 512 + 512) + 4 * 512
    + BRANCH + (513 * 8 + 8) + (8 * 4 + 4),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_parameter_counts_are_those_counted_by_hand(name: str) -> None:
    assert count_parameters(name, num_classes=4).total == HAND_COUNTS[name]


def test_alexnet_has_about_23_6_million_parameters() -> None:
    assert round(HAND_COUNTS["alexnet"] / 1e6, 1) == 23.6


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("image_only", [False, True])
def test_arithmetic_agrees_with_keras_at_pruned_widths(name: str, image_only: bool) -> None:
    network = get(name)
    arguments = {
        "num_classes": 3,
        "input_shape": (64, 48, 3),
        "num_metadata": 5,
        "convolutions": tuple(max(1, width // 16) for width in network.convolutions),
        "dense": (9, 7),
        "image_only": image_only,
    }
    model = build(name, **arguments)
    count = count_parameters(name, **arguments)
    assert count.total == model.count_params()
    assert count.trainable == sum(int(np.prod(w.shape)) for w in model.trainable_weights)


@pytest.mark.parametrize("name", ["lenet5", "custom1", "custom2"])  # alexnet: 94 MB of weights
def test_the_full_network_built_by_keras_has_the_hand_count(name: str) -> None:
    assert build(name, num_classes=4).count_params() == HAND_COUNTS[name]


@pytest.mark.parametrize("name", NETWORKS)
def test_multiply_accumulates_of_lenet_by_hand_and_of_all_positive(name: str) -> None:
    thin = tuple(2 for _ in get(name).convolutions)
    model = build(name, num_classes=3, input_shape=(64, 48), convolutions=thin, dense=(4, 5))
    macs = multiply_accumulates(model)
    if name == "lenet5":
        branch = 3 * 4 + 4 * 6 + 6 * 2 + 2 * 1
        convolutions = 60 * 44 * 5 * 5 * 3 * 2 + 26 * 18 * 5 * 5 * 2 * 2
        assert macs == convolutions + 13 * 9 * 2 * 4 + 4 * 5 + branch + 6 * 16 + 16 * 3
    assert macs > model.count_params() // 2


@pytest.mark.parametrize("name", NETWORKS)
def test_probabilities_sum_to_one_from_uint8_and_float_alike(name: str) -> None:
    thin = tuple(2 for _ in get(name).convolutions)
    model = build(name, num_classes=3, input_shape=(64, 48), convolutions=thin, dense=(4, 5))
    image = np.random.default_rng(0).integers(0, 256, (2, 64, 48, 3), dtype=np.uint8)
    metadata = np.zeros((2, 3), np.float32)
    whole = np.asarray(model({"image": image, "metadata": metadata}))
    real = np.asarray(model({"image": image.astype(np.float32), "metadata": metadata}))
    assert np.allclose(whole.sum(axis=1), 1, atol=1e-6)
    assert np.array_equal(whole, real)


@pytest.fixture(scope="module")
def people() -> np.ndarray:
    """Age, sex and site of a thousand people, encoded as `MetadataEncoder` encodes them."""
    random = np.random.default_rng(0)
    columns = (
        random.standard_normal(1000),
        random.integers(0, 3, 1000) / 2,
        random.integers(0, 15, 1000) / 14,
    )
    return np.stack(columns, axis=1).astype(np.float32)


@pytest.mark.slow
def test_the_metadata_branch_is_alive_at_every_seed(people: np.ndarray) -> None:
    """Batch statistics alone: they are what a first training step sees."""
    metadata = keras.Input((3,))
    branch = keras.Model(metadata, metadata_branch(metadata, 0.1, "float32"))
    dense = [layer for layer in branch.layers if isinstance(layer, keras.layers.Dense)]
    spreads = []
    for seed in range(100):
        with seeded(seed):
            for layer in dense:
                fresh = type(layer.kernel_initializer)()  # drawn from the seed, as in build
                layer.kernel.assign(fresh(layer.kernel.shape))
        recompute_statistics(branch, [people])
        spreads.append(float(np.std(branch(people))))
    assert min(spreads) > 0.1


@pytest.mark.parametrize("name", NETWORKS)
def test_metadata_reaches_the_output_unless_image_only(name: str) -> None:
    thin = tuple(2 for _ in get(name).convolutions)
    arguments = {"num_classes": 3, "input_shape": (64, 48), "convolutions": thin, "dense": (4, 5)}
    assert set(build(name, **arguments).input) == {"image", "metadata"}
    assert set(build(name, **arguments, image_only=True).input) == {"image"}


def test_the_same_seed_gives_the_same_weights_and_another_gives_others() -> None:
    first, again, other = (
        build("lenet5", num_classes=3, input_shape=(32, 32), seed=seed).get_weights()
        for seed in (1, 1, 2)
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_softmax_stays_float32_under_mixed_precision() -> None:
    model = build("lenet5", num_classes=3, input_shape=(32, 32), precision="mixed_bfloat16")
    assert model.layers[1].compute_dtype == "bfloat16"
    assert model.output.dtype == "float32"
    assert all(variable.dtype == "float32" for variable in model.trainable_weights)


def test_custom2_keeps_an_identity_skip_where_widths_agree() -> None:
    model = build(
        "custom2",
        num_classes=3,
        input_shape=(64, 48),
        convolutions=(2, 2, 2, 2, 4, 4, 6),
        dense=(4, 5),
    )
    kernels = [layer.kernel.shape for layer in model.layers if hasattr(layer, "kernel_size")]
    assert kernels.count((1, 1, 4, 6)) == 1
    assert sum(shape[:2] == (1, 1) for shape in kernels) == 1


@pytest.mark.parametrize("name", NETWORKS)
def test_the_walked_feature_map_is_the_one_keras_flattens(name: str) -> None:
    thin = tuple(1 for _ in get(name).convolutions)
    model = build(name, num_classes=2, input_shape=(97, 61), convolutions=thin, dense=(1, 1))
    flattened = model.get_layer(
        next(layer.name for layer in model.layers if layer.name.startswith("flatten"))
    )
    height, width = feature_map(get(name), 97, 61)
    assert flattened.output.shape[-1] == height * width


@pytest.mark.parametrize("name", NETWORKS)
def test_every_size_of_the_paper_has_a_feature_map(name: str) -> None:
    for size in ((200, 100), (256, 256), (300, 300), (450, 150), (300, 600), (450, 600), (64, 48)):
        assert min(feature_map(get(name), *size)) >= 1


def test_unknown_names_bad_widths_and_tiny_images_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"'vgg'.*lenet5, alexnet, custom1, custom2"):
        get("vgg")
    with pytest.raises(ParameterError, match="expected 2 widths"):
        build("lenet5", num_classes=3, convolutions=(6, 16, 32))
    with pytest.raises(ParameterError, match="at least 1"):
        build("lenet5", num_classes=3, dense=(0, 1))
    with pytest.raises(ParameterError, match="received 8x8"):
        build("lenet5", num_classes=3, input_shape=(8, 8))
