"""The smaller model is a plain Keras model, and the log makes it again."""

import functools
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.cost import Costs, multiply_accumulates
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.apply_step import fresh
from slimderm.components.pruning.method import Budget
from slimderm.components.pruning.proof import deviation, randomise
from slimderm.components.pruning.pruner import prune
from slimderm.components.pruning.replay import replay, write_log
from slimderm.components.pruning.surgery import remove
from slimderm.components.training.build import build

LOAD = """
import sys
import keras, numpy as np
model = keras.models.load_model(sys.argv[1])
assert not any(name.startswith(("components", "flows")) for name in sys.modules)
inputs = np.load(sys.argv[2])
np.save(sys.argv[3], model.predict({name: inputs[name] for name in inputs}, verbose=0))
model.compile("adam", "categorical_crossentropy")
model.fit({name: inputs[name] for name in inputs}, np.eye(4)[[0, 1]], verbose=0)
"""


@pytest.mark.slow
def test_a_pruned_model_loads_where_the_project_is_not_installed(tmp_path, halved):
    model = build("lenet5", num_classes=4, input_shape=(32, 32))
    graph = trace(model)
    pruned = remove(graph, halved(graph))
    pruned.save(tmp_path / "model.keras")
    random = np.random.default_rng(0)
    inputs = {
        "image": random.uniform(0, 255, (2, 32, 32, 3)).astype("float32"),
        "metadata": random.uniform(0, 1, (2, 3)).astype("float32"),
    }
    np.savez(tmp_path / "inputs.npz", **inputs)
    files = [str(tmp_path / name) for name in ("model.keras", "inputs.npz", "out.npy")]
    subprocess.run([sys.executable, "-I", "-c", LOAD, *files], check=True, capture_output=True)
    expected = pruned.predict(inputs, verbose=0)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, rtol=1e-5, atol=1e-6)


def test_a_pruned_model_can_be_pruned_again_quantised_and_exported(tmp_path, small, halved):
    graph = trace(small())
    once = trace(remove(graph, halved(graph)))
    twice = remove(once, halved(once))
    assert [twice.get_layer(name).filters for name in "abc"] == [2, 2, 2]
    assert twice.get_layer("d").units == 3
    twice.export(tmp_path / "saved", verbose=False)
    with pytest.warns(UserWarning, match="does not have a `quantize` method"):
        twice.quantize("int8")
    assert twice(np.zeros((1, 8, 8, 3), "float32")).shape == (1, 3)


def test_the_log_replays_to_the_same_bits(small, halved):
    model = small()
    graph = trace(model)
    keep = halved(graph)
    pruned = remove(graph, keep)
    log = json.loads(json.dumps(write_log(graph, keep)))
    again = replay(model, log)
    assert again.get_config() == pruned.get_config()
    for one, other in zip(pruned.get_weights(), again.get_weights(), strict=True):
        assert one.tobytes() == other.tobytes()
    assert {path: len(places) for path, places in log["removed"].items()} == {
        "a": 4, "b": 4, "c": 3, "d": 5
    }  # fmt: skip


def test_a_log_of_another_model_is_refused(small, halved):
    graph = trace(small())
    log = write_log(graph, halved(graph))
    with pytest.raises(ParameterError, match="a 8, here 4"):
        replay(remove(graph, halved(graph)), log)
    with pytest.raises(ParameterError, match="format"):
        replay(graph.model, {**log, "format": 0})
    parted = {**log, "removed": {"a": log["removed"]["a"]}}
    with pytest.raises(ParameterError, match="coupled channels"):
        replay(graph.model, parted)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda log: [log], "received list"),
        (lambda log: {key: log[key] for key in log if key != "widths"}, "None for widths"),
        (lambda log: {key: log[key] for key in log if key != "removed"}, "None for removed"),
        (lambda log: {**log, "removed": {"c": [99]}}, r"c without the channels \[99\].*0 to 5"),
        (lambda log: {**log, "removed": {"c": [-1]}}, r"c without the channels \[-1\]"),
        (lambda log: {**log, "removed": {"c": [0.5]}}, r"\[0.5\] for c"),
        (lambda log: {**log, "removed": {"c": 1}}, "1 for c"),
        (lambda log: {**log, "removed": {"conv9": [0]}}, "conv9 without the channels"),
        (lambda log: {**log, "widths": {"a": 8}, "model": None}, "b absent, here 8"),
        (lambda log: {**log, "widths": [8]}, r"\[8\] for widths"),
    ],
)
def test_a_log_that_is_spoilt_is_refused(spoil, words, small, halved):
    graph = trace(small())
    with pytest.raises(ParameterError, match=words):
        replay(graph.model, spoil(write_log(graph, halved(graph))))


def test_weights_that_are_left_are_the_old_ones_by_hand(small):
    model = small()
    graph = trace(model)
    keep = np.ones(graph.num_coupled, bool)
    keep[graph.producers["c"].labels[[1, 4]]] = False
    pruned = remove(graph, keep)
    left = [0, 2, 3, 5]
    kernel, bias = model.get_layer("c").get_weights()
    np.testing.assert_array_equal(pruned.get_layer("c").get_weights()[0], kernel[..., left])
    np.testing.assert_array_equal(pruned.get_layer("c").get_weights()[1], bias[left])
    dense = model.get_layer("d").get_weights()[0].reshape(3, 3, 6, 10)
    expected = dense[:, :, left].reshape(36, 10)
    np.testing.assert_array_equal(pruned.get_layer("d").get_weights()[0], expected)


def test_training_the_smaller_model_leaves_the_larger_one_alone(small):
    model = small()
    before = [weight.copy() for weight in model.get_weights()]
    graph = trace(model)
    keep = np.ones(graph.num_coupled, bool)
    keep[graph.producers["c"].labels[0]] = False
    pruned = remove(graph, keep)
    pruned.compile("adam", "mse")
    pruned.fit(np.ones((4, 8, 8, 3)), np.ones((4, 3)), epochs=2, verbose=0)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_must_stay_cannot_go_and_no_layer_vanishes(small):
    graph = trace(small())
    keep = np.ones(graph.num_coupled, bool)
    keep[graph.producers["out"].labels[0]] = False
    with pytest.raises(ParameterError, match=r"out.*must stay"):
        remove(graph, keep)
    keep = np.ones(graph.num_coupled, bool)
    keep[graph.producers["c"].labels] = False
    with pytest.raises(ParameterError, match=r"c.*removes every channel"):
        remove(graph, keep)


class Doubling(layers.Layer):
    """Not registered with Keras."""

    def call(self, inputs):
        return 2 * inputs


def test_layers_that_only_python_can_make_are_taken_along():
    factor = np.float32(3)  # which a lambda read from a file would not find
    image = keras.Input((4, 4, 3))
    x = layers.Conv2D(6, 1, name="a")(image)
    x = Doubling()(layers.Conv2D(6, 1, name="b")(x))
    outputs = layers.Lambda(lambda x: factor * x[..., ::-1])(x)
    model = keras.Model(image, outputs)
    graph = trace(model)
    keep = np.ones(graph.num_coupled, bool)
    keep[graph.producers["a"].labels[:3]] = False
    pruned = remove(graph, keep)
    inputs = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")
    expected = (inputs @ model.get_layer("a").kernel.numpy()[0, 0])[..., 3:]
    expected = 6 * (expected @ model.get_layer("b").kernel.numpy()[0, 0][3:])[..., ::-1]
    np.testing.assert_allclose(pruned(inputs), expected, rtol=1e-4, atol=1e-5)


def squared(x):
    return x * x


class Half(keras.regularizers.Regularizer):
    """Not registered with Keras."""

    def __call__(self, weight):
        return 0.5 * keras.ops.sum(weight)

    def get_config(self):
        return {}


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.Dense(6, activation=squared, name="own"),
        lambda: layers.Activation(lambda x: x * 2, name="own"),
        lambda: layers.Dense(6, kernel_regularizer=Half(), name="own"),
    ],
)
def test_functions_and_regularizers_of_ones_own_are_taken_along(make, halved):
    inputs = keras.Input((4,))
    x = layers.Dense(8, name="a")(inputs)
    model = keras.Model(inputs, layers.Dense(2)(make()(x)))
    graph = trace(model)
    values = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    assert deviation(graph, halved(graph), values) < 1e-4
    assert all("own" in barrier.path for barrier in graph.barriers)


class Silent(keras.regularizers.Regularizer):
    """Has no config."""

    def __call__(self, weight):
        return keras.ops.sum(weight)


class Scaled(layers.Layer):
    """Keras cannot make it of its config."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, inputs):
        return self.factor * inputs

    def get_config(self):
        return {}


@pytest.mark.parametrize(
    "strange",
    [
        lambda: Scaled(2),
        lambda: layers.Dense(3, kernel_regularizer=Silent()),
    ],
)
def test_what_keras_cannot_make_again_is_said(strange):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2)(strange()(layers.Dense(6)(inputs))))
    graph = trace(model)
    with pytest.raises(ParameterError, match="cannot make of its config"):
        remove(graph, np.ones(graph.num_coupled, bool))


def test_names_kinds_and_trainability_are_kept(halved):
    model = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            layers.Conv2D(4, 3, name="first", trainable=False),
            layers.Flatten(),
            layers.Dense(2, name="last"),
        ],
        name="mine",
    )
    graph = trace(model)
    pruned = remove(graph, halved(graph))
    assert isinstance(pruned, keras.Sequential)
    assert pruned.name == "mine"
    assert not pruned.get_layer("first").trainable
    assert pruned.get_layer("first").filters == 2


def test_costs_by_hand(small, halved):
    """a: 3x3x3x8+8, b: 3x3x8x8+8, norm 4x8, c: 3x3x8x6+6, d: 54x10+10, out: 10x3+3."""
    model = small()
    graph = trace(model)
    whole = np.ones(graph.num_coupled, bool)
    assert Costs(graph).parameters(whole) == 224 + 584 + 32 + 438 + 550 + 33
    expected = 64 * 216 + 64 * 576 + 9 * 432 + 540 + 30
    assert multiply_accumulates(model) == expected
    keep = halved(graph)
    pruned = remove(graph, keep)
    assert Costs(graph).parameters(keep) == pruned.count_params()
    assert Costs(graph).multiply_accumulates(keep) == multiply_accumulates(pruned)
    assert pruned.count_params() == 112 + 148 + 16 + 111 + (27 * 5 + 5) + 18


def test_shared_depthwise_separable_and_transposed_work_is_counted_by_hand():
    image = keras.Input((4, 4, 2))
    shared = layers.Conv2D(2, 1, use_bias=False)  # 16 * 4, twice
    x = shared(shared(image))
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)  # 16 * 18
    x = layers.SeparableConv2D(5, 3, padding="same", use_bias=False)(x)  # 16 * (18 + 10)
    x = layers.Conv2DTranspose(3, 2, strides=2, use_bias=False)(x)  # 16 * 2 * 2 * 5 * 3
    model = keras.Model(image, x)
    assert multiply_accumulates(model) == 16 * (2 * 4 + 18 + 28 + 60)


def test_an_open_input_size_has_no_count():
    image = keras.Input((None, None, 3))
    model = keras.Model(image, layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image)))
    with pytest.raises(ParameterError, match="fixed size"):
        multiply_accumulates(model)


def test_a_nested_model_of_open_size_is_counted_at_the_size_of_each_call():
    image = keras.Input((None, None, 3))
    open_size = keras.Model(image, layers.Conv2D(3, 1, name="c")(image), name="open")
    image = keras.Input((None, None, 3))
    outer = keras.Model(image, open_size(open_size(image)), name="outer")
    image = keras.Input((8, 6, 3))
    x = layers.MaxPooling2D(2)(outer(image))
    x = layers.GlobalAveragePooling2D()(outer(inputs=x, training=False))
    model = keras.Model(image, layers.Dense(2)(x))
    assert multiply_accumulates(model) == 2 * 48 * 9 + 2 * 12 * 9 + 6


def test_a_network_taken_over_for_other_classes_is_counted_and_fits_a_budget():
    make = functools.partial(keras.applications.MobileNetV2, weights=None, include_top=False)
    image = keras.Input((32, 32, 3))
    x = layers.GlobalAveragePooling2D()(make(input_shape=(None, None, 3))(image, training=False))
    model = keras.Model(image, layers.Dense(2)(x))
    assert multiply_accumulates(model) == multiply_accumulates(make(input_shape=(32, 32, 3))) + 2560
    pruned = prune(model, budget=Budget("multiply_accumulates", 2e6))
    before, after = pruned.report.multiply_accumulates
    assert before == multiply_accumulates(model)
    assert 1.5e6 < multiply_accumulates(pruned.model) == after <= 2e6


def test_lists_of_values_for_channels_are_cut_with_them():
    image = keras.Input((4, 4, 3))
    x = layers.Conv2D(4, 1, name="a")(image)
    x = layers.Rescaling([1.0, 2.0, 3.0, 4.0], name="scale")(x)
    x = layers.Normalization(mean=[0.0, 1.0, 2.0, 3.0], variance=[1.0] * 4, name="norm")(x)
    model = keras.Model(image, layers.Conv2D(1, 1)(x))
    randomise(model, seed=0)
    graph = trace(model)
    keep = np.ones(graph.num_coupled, bool)
    keep[graph.producers["a"].labels[1]] = False
    pruned = remove(graph, keep)
    assert list(pruned.get_layer("scale").scale) == [1.0, 3.0, 4.0]
    assert np.ravel(pruned.get_layer("norm").get_config()["mean"]).tolist() == [0.0, 2.0, 3.0]


def constant(*shape):
    return keras.initializers.Constant(np.arange(np.prod(shape), dtype="float32").reshape(shape))


CONSTANTS = {  # a layer of 4 channels behind 3, and the weight that starts from an array
    "kernel": (lambda: layers.Dense(4, kernel_initializer=constant(3, 4)), "kernel"),
    "one row for all": (lambda: layers.Dense(4, kernel_initializer=constant(4)), "kernel"),
    "one column for all": (lambda: layers.Dense(4, kernel_initializer=constant(3, 1)), "kernel"),
    "bias as a list": (
        lambda: layers.Dense(4, bias_initializer=keras.initializers.Constant([0.0, 1.0, 2.0, 3.0])),
        "bias",
    ),
    "convolution": (lambda: layers.Conv1D(4, 1, kernel_initializer=constant(1, 3, 4)), "kernel"),
    "depthwise": (
        lambda: layers.SeparableConv1D(4, 1, depthwise_initializer=constant(1, 3, 1)),
        "depthwise_kernel",
    ),
    "pointwise": (
        lambda: layers.SeparableConv1D(4, 1, pointwise_initializer=constant(1, 3, 4)),
        "pointwise_kernel",
    ),
    "slopes": (lambda: layers.PReLU(alpha_initializer=constant(5, 3)), "alpha"),
    "scale": (lambda: layers.BatchNormalization(gamma_initializer=constant(3)), "gamma"),
}


@pytest.mark.parametrize("kind", CONSTANTS)
def test_an_array_that_a_weight_starts_from_is_cut_with_it(kind, tmp_path):
    make, name = CONSTANTS[kind]
    inputs = keras.Input((5, 2))
    x = layers.Dense(3, name="before")(inputs)
    x = make()(x)
    own = x._keras_history.operation
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)))
    graph = trace(model)
    keep = np.ones(graph.num_coupled, bool)
    keep[graph.producers["before"].labels[1]] = False
    if own.name in graph.producers:
        keep[graph.producers[own.name].labels[[0, 2]]] = False
    pruned = remove(graph, keep)
    started = pruned.get_layer(own.name).get_weights()  # nothing was trained: as it starts
    pruned.save(tmp_path / "model.keras")
    for again in (
        keras.models.load_model(tmp_path / "model.keras"),
        keras.models.clone_model(pruned),
        fresh(pruned, 0),
    ):
        variable = getattr(again.get_layer(own.name), name)
        index = [weight is variable for weight in again.get_layer(own.name).weights].index(True)
        np.testing.assert_array_equal(variable, started[index])


def test_a_table_of_words_given_as_a_constant_is_cut_with_its_channels(tmp_path):
    table = np.arange(40.0, dtype="float32").reshape(5, 8)
    inputs = keras.Input((7,), dtype="int32")
    words = layers.Embedding(5, 8, embeddings_initializer=keras.initializers.Constant(table))
    x = layers.GlobalAveragePooling1D()(words(inputs))
    model = keras.Model(inputs, layers.Dense(2)(x))
    graph = trace(model)
    keep = np.ones(graph.num_coupled, bool)
    keep[graph.producers[words.name].labels[[0, 3]]] = False
    remove(graph, keep).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    expected = table[:, [1, 2, 4, 5, 6, 7]]
    for again in (loaded, fresh(loaded, 0)):
        np.testing.assert_array_equal(again.get_layer(words.name).embeddings, expected)
    twice = remove(trace(loaded), np.arange(graph.num_coupled - 2) != 1)
    np.testing.assert_array_equal(
        twice.get_layer(words.name).embeddings_initializer.value, expected[:, [0, 2, 3, 4, 5]]
    )


def test_words_learned_from_data_are_taken_along():
    inputs = keras.Input((3,), dtype="int64")
    lookup = layers.IntegerLookup(name="lookup")
    lookup.adapt(np.array([[3, 7, 7], [9, 3, 3]]))
    x = layers.Embedding(5, 6, name="words")(lookup(inputs))
    x = layers.Dense(4, name="dense")(layers.Flatten()(x))
    model = keras.Model(inputs, layers.Dense(2)(x))
    graph = trace(model)
    whole = np.ones(graph.num_coupled, bool)
    batch = np.array([[3, 7, 9], [7, 1, 3]])
    np.testing.assert_allclose(remove(graph, whole)(batch), model(batch), rtol=1e-5)


@pytest.mark.parametrize("kind", ["subclass", "pipeline"])
def test_what_holds_layers_but_is_no_plain_model_is_a_wall_for_surgery(kind, halved):
    class Sub(keras.Model):
        """Python code in its call."""

        def call(self, inputs):
            return super().call(inputs)

    inputs = keras.Input((8,))
    held = {
        "subclass": lambda: Sub(inputs, layers.Dense(8)(inputs), name="held"),
        "pipeline": lambda: layers.Pipeline([layers.Rescaling(0.5)], name="held"),
    }[kind]()
    outer = keras.Input((5,))
    x = held(layers.Dense(8, name="before")(layers.Dense(6, name="first")(outer)))
    model = keras.Model(outer, layers.Dense(2)(layers.Dense(4, name="after")(x)))
    graph = trace(model)
    assert [barrier.path for barrier in graph.barriers] == ["held"]
    keep = halved(graph)
    assert deviation(graph, keep, np.ones((2, 5), "float32")) < 1e-4
    assert remove(graph, keep).get_layer("first").units == 3


def test_statistics_learned_from_data_are_taken_along(tmp_path):
    inputs = keras.Input((4, 4, 2))
    learned = layers.Normalization(name="learned")
    learned.adapt(np.random.default_rng(0).normal(7, 3, (32, 4, 4, 2)))
    x = layers.Conv2D(4, 1, name="a")(learned(inputs))
    hidden = layers.Normalization(name="hidden")
    hidden.adapt(np.random.default_rng(1).normal([1, 2, 3, 4], 2, (32, 4, 4, 4)))
    model = keras.Model(inputs, layers.Conv2D(1, 1)(hidden(x)))
    batch = np.random.default_rng(2).normal(7, 3, (2, 4, 4, 2)).astype("float32")
    graph = trace(model)
    whole = np.ones(graph.num_coupled, bool)
    np.testing.assert_allclose(remove(graph, whole)(batch), model(batch), rtol=1e-5, atol=1e-5)
    keep = whole.copy()
    keep[graph.producers["a"].labels[2]] = False
    pruned = remove(graph, keep)
    assert hidden.mean.shape[-1] == 4
    np.testing.assert_allclose(
        np.ravel(pruned.get_layer("hidden").mean), np.ravel(hidden.mean)[[0, 1, 3]], rtol=1e-6
    )
    again = fresh(model, 0)
    np.testing.assert_array_equal(again.get_layer("learned").mean, learned.mean)


@pytest.mark.parametrize("size", [{"ratio": 0.5}, {"budget": Budget("parameters", 500)}])
def test_a_quantised_model_is_refused_with_what_to_do(small, size):
    model = small()
    model.get_layer("d").quantize("int8")
    with pytest.raises(ParameterError, match=r"quantised to int8 in d, .* prune the model first"):
        prune(model, **size)


class Unnamed(layers.Dense):
    """Forgets its name when it is made again."""

    @classmethod
    def from_config(cls, config):
        return super().from_config({**config, "name": None})


class Unsaid(layers.Layer):
    """Has a get_config that cannot say what it should."""

    def call(self, inputs):
        return inputs * 2

    def get_config(self):
        return {"factor": self.factor}


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (lambda: Unnamed(4, name="mine"), "mine: received a Unnamed that has another name"),
        (Unsaid, "which Keras cannot make of its config"),
    ],
)
def test_a_layer_that_cannot_be_made_again_is_named(layer, said):
    inputs = keras.Input((6,))
    x = layers.Dense(8)(layer()(layers.Dense(6)(inputs)))
    with pytest.raises(ParameterError, match=said):
        prune(keras.Model(inputs, layers.Dense(2)(x)), ratio=0.5)
