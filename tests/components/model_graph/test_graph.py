"""Which channels go together, by hand; and what is never guessed."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers
from keras.src.models.functional import Functional

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.proof import deviation, randomise
from slimderm.components.pruning.pruner import prune
from slimderm.components.pruning.surgery import remove


def groups(model):
    return {
        tuple(sorted(group.layers)): (len(group.coupled), int(group.free.sum()))
        for group in trace(model).groups
    }


def test_layers_that_are_added_go_together(small):
    assert groups(small()) == {
        ("a", "b"): (8, 8),
        ("c",): (6, 6),
        ("d",): (10, 10),
        ("out",): (3, 0),
    }


def test_flatten_gives_every_position_to_its_channel(small):
    graph = trace(small())
    kernel = graph.producers["d"].variable
    slot = next(s for s in graph.slots if s.variable is kernel and s.axis == 0)
    channels = graph.producers["c"].labels
    np.testing.assert_array_equal(slot.labels, np.tile(channels, 9))  # (3, 3, 6) in row order


def test_concatenation_then_addition_couples_place_by_place():
    image = keras.Input((4, 4, 3))
    a, b = layers.Conv2D(2, 1, name="a")(image), layers.Conv2D(3, 1, name="b")(image)
    c = layers.Conv2D(5, 1, name="c")(image)
    x = layers.Add()([layers.Concatenate()([a, b]), c])
    model = keras.Model(image, layers.Conv2D(1, 1, name="out")(x))
    graph = trace(model)
    found = {path: producer.labels.tolist() for path, producer in graph.producers.items()}
    assert found["a"] + found["b"] == found["c"]
    assert sorted(sorted(group.layers) for group in graph.groups) == [["a", "b", "c"], ["out"]]


def test_channels_added_to_the_image_stay():
    image = keras.Input((4, 4, 3))
    x = layers.Add()([layers.Conv2D(3, 1, name="a")(image), image])
    model = keras.Model(image, layers.Conv2D(1, 1, name="out")(x))
    assert groups(model)[("a",)] == (3, 0)


def test_grouped_convolutions_shrink_by_the_same_places_of_every_group():
    image = keras.Input((4, 4, 3))
    x = layers.Conv2D(8, 1, name="a")(image)
    x = layers.Conv2D(12, 1, groups=4, name="b")(x)
    model = keras.Model(image, layers.Conv2D(1, 1, name="out")(x))
    found = {path: producer.labels.tolist() for path, producer in trace(model).producers.items()}
    assert found["a"] == found["a"][:2] * 4
    assert found["b"] == found["b"][:3] * 4
    assert len({*found["a"], *found["b"]}) == 5


def test_of_two_axes_that_meet_the_first_loses_channels(halved):
    inputs = keras.Input((4, 6))
    moved = layers.Permute((2, 1))(layers.Conv1D(5, 1, name="a")(inputs))  # (5 channels, 4 places)
    flat = keras.Model(inputs, layers.Dense(2, name="out")(layers.Flatten()(moved)))
    assert groups(flat) == {("a",): (5, 5), ("out",): (2, 0)}
    both = layers.Flatten(name="flat")(layers.Dense(7, name="b")(moved))
    model = keras.Model(inputs, layers.Dense(2, name="out")(both))
    assert groups(model) == {("a",): (5, 5), ("b",): (7, 0), ("out",): (2, 0)}
    graph = trace(model)
    assert [barrier.path for barrier in graph.barriers] == ["flat"]
    randomise(model, seed=0)
    values = np.random.default_rng(0).random((2, 4, 6)).astype("float32")
    assert deviation(graph, halved(graph), values) < 1e-5


@keras.saving.register_keras_serializable("tests")
class Strange(layers.Layer):
    """A custom layer: sums over the channels."""

    def call(self, inputs):
        return inputs - keras.ops.mean(inputs, axis=-1, keepdims=True)


@keras.saving.register_keras_serializable("tests")
class Heavier(layers.Conv2D):
    """A subclass whose call nobody has read."""


class Centred(keras.Model):
    """Does more than its graph says."""

    def call(self, inputs):
        outputs = super().call(inputs)
        return outputs - keras.ops.mean(outputs, axis=-1, keepdims=True)


class Wide(keras.Model):
    """Says how its graph is made, and no more; Keras cannot make it of its config."""

    def __init__(self, width):
        inputs = keras.Input((4, 4, 6))
        super().__init__(inputs, layers.Conv2D(width, 1)(inputs))


def nested(kind, *arguments):
    if arguments:
        return kind(*arguments)
    inputs = keras.Input((4, 4, 6))
    return kind(inputs, layers.Conv2D(4, 1)(inputs))


WALLS = {
    "custom": Strange,
    "subclass": lambda: Heavier(4, 1),
    "layer norm": layers.LayerNormalization,
    "unit norm": layers.UnitNormalization,
    "rms norm": layers.RMSNormalization,
    "softmax layer": layers.Softmax,
    "softmax activation": lambda: layers.Activation("softmax"),
    "lambda": lambda: layers.Lambda(lambda x: x[..., ::-1], output_shape=(4, 4, 6)),
    "moved normalisation": lambda: layers.BatchNormalization(axis=1),
    "statistics of rows": lambda: layers.Normalization(axis=1, mean=[0] * 4, variance=[1] * 4),
    "nested subclass": lambda: nested(Centred),
    "noise that counts channels": lambda: layers.Dropout(0.5, noise_shape=(None, 1, 1, 6)),
}


@pytest.mark.parametrize("kind", WALLS)
def test_what_is_not_known_is_a_wall_and_has_a_name(kind):
    image = keras.Input((4, 4, 3))
    x = layers.Conv2D(6, 1, name="before")(image)
    x = layers.Conv2D(6, 1, name="near")(x)
    barrier = WALLS[kind]()
    x = barrier(x)
    x = layers.Conv2D(4, 1, name="after")(x)
    model = keras.Model(image, layers.Dense(2, name="out")(layers.Flatten()(x)))
    graph = trace(model)
    free = {group.name: bool(group.free.any()) for group in graph.groups}
    assert free["before"]
    assert not free["near"]
    assert [found.path for found in graph.barriers] == [barrier.name]
    assert graph.barriers[0].num_coupled == 6
    assert free["after"]


def with_adapter():
    layer = layers.Dense(6)
    layer.build((None, 4, 4, 3))
    layer.enable_lora(2)
    return layer


@pytest.mark.parametrize(
    "first",
    [
        with_adapter,
        lambda: layers.ConvLSTM1D(6, 1, return_sequences=True, activation="softmax"),
        lambda: Heavier(6, 1),
    ],
)
def test_a_wall_whose_own_channels_could_have_gone_has_a_name(first):
    image = keras.Input((4, 4, 3))
    barrier = first()
    model = keras.Model(image, layers.Conv2D(2, 1, name="out")(barrier(image)))
    report = prune(model, ratio=0.5).report
    assert [found.path for found in report.barriers] == [barrier.name]
    assert f"barrier at {barrier.name}" in str(report)
    assert "its own channels stay" in str(report)
    assert "nothing shrank" in str(report)


def test_a_dense_layer_with_softmax_in_the_middle_is_a_wall():
    inputs = keras.Input((4,))
    x = layers.Dense(5, activation="softmax", name="gate")(inputs)
    model = keras.Model(inputs, layers.Dense(2, name="out")(x))
    assert [barrier.path for barrier in trace(model).barriers] == ["gate"]


@pytest.mark.parametrize(
    ("activation", "reason"),
    [
        (layers.PReLU, "PReLU is a layer, which is not followed here"),
        (lambda: keras.ops.softmax, "softmax may mix channels"),
    ],
)
def test_an_activation_that_is_a_wall_has_its_true_reason(activation, reason):
    inputs = keras.Input((4,))
    x = layers.Dense(5, activation=activation(), name="gate")(inputs)
    (barrier,) = trace(keras.Model(inputs, layers.Dense(2)(x))).barriers
    assert (barrier.path, barrier.reason) == ("gate", f"activation {reason}")


def test_the_softmax_of_the_classes_is_no_wall_worth_a_word():
    inputs = keras.Input((4,))
    x = layers.Dense(5, name="hidden")(inputs)
    for last in (
        [layers.Dense(3, activation="softmax")],
        [layers.Dense(3), layers.Softmax()],
        [layers.Dense(3), layers.Activation("softmax")],
    ):
        y = x
        for layer in last:
            y = layer(y)
        graph = trace(keras.Model(inputs, y))
        assert not graph.barriers
        assert [bool(group.free.any()) for group in graph.groups] == [True, False]


def test_a_wall_at_the_output_that_holds_others_back_has_a_name():
    image = keras.Input((4, 4, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 1, name="held")(image))
    last = layers.Dense(3, name="out")
    model = keras.Model(image, last(x))
    last.enable_lora(2)
    report = prune(model, ratio=0.5).report
    assert "barrier at out (quantised or with LoRA): 6 channels stay" in str(report)


def test_a_model_nested_in_two_others_is_refused():
    inputs = keras.Input((4,))
    inner = keras.Model(inputs, layers.Dense(4)(inputs), name="inner")
    both = []
    for name in "ab":
        inputs = keras.Input((4,))
        both.append(keras.Model(inputs, inner(inputs), name=name))
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Add()([outer(inputs) for outer in both]))
    with pytest.raises(ParameterError, match="'inner' at both a/inner and b/inner"):
        trace(model)


def test_a_layer_inside_and_outside_a_nested_model_is_refused_where_names_meet():
    shared = layers.Dense(4, name="shared")
    inputs = keras.Input((4,))
    inner = keras.Model(inputs, layers.ReLU(name="last")(shared(inputs)), name="inner")
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2, name="last")(shared(inner(inputs))))
    with pytest.raises(ParameterError, match="'shared' at both "):
        trace(model)


def test_an_operation_with_several_outputs_is_a_wall():
    image = keras.Input((4, 4, 3))
    first = layers.Conv2D(4, 1, name="a")(image)
    second = layers.Conv2D(4, 1, name="b")(image)
    one, other = layers.Identity(name="both")([first, second])
    model = keras.Model(image, layers.Conv2D(2, 1)(layers.Concatenate()([one, other])))
    graph = trace(model)
    assert [barrier.path for barrier in graph.barriers] == ["both"]
    assert not any(group.free.any() for group in graph.groups)


BY_NAME = {
    "a dict": lambda inner, a, b: inner({"second": a, "first": b}),
    "a dict by keyword": lambda inner, a, b: inner(inputs={"second": a, "first": b}),
    "a list by keyword": lambda inner, a, b: inner(inputs=[a, b]),
}


@pytest.mark.parametrize("kind", BY_NAME)
def test_a_nested_model_takes_its_inputs_by_name(kind):
    first, second = keras.Input((2,), name="first"), keras.Input((3,), name="second")
    inner = keras.Model([second, first], layers.Concatenate()([second, first]), name="inner")
    inputs = keras.Input((5,))
    a, b = layers.Dense(3, name="a")(inputs), layers.Dense(2, name="b")(inputs)
    x = layers.Dense(4, name="hidden")(BY_NAME[kind](inner, a, b))
    model = keras.Model(inputs, layers.Dense(1, name="out")(x))
    graph = trace(model)
    keep = np.ones(graph.num_coupled, bool)
    keep[graph.producers["b"].labels[1]] = False
    kernel = model.get_layer("hidden").kernel.numpy()
    expected = np.delete(kernel, 4, axis=0)  # behind the three of `second`
    np.testing.assert_array_equal(remove(graph, keep).get_layer("hidden").kernel, expected)


# Inner models of three inputs of one size, so that a wrong order shows in values alone.
STRUCTURES = {
    "a dict that sorts otherwise": (
        lambda r, s, t: {"second": r, "third": s, "first": t},
        lambda a, b, c: {"third": b, "second": a, "first": c},
    ),
    "a list in a dict": (
        lambda r, s, t: {"u": [r, s], "k": t},
        lambda a, b, c: {"u": [a, b], "k": c},
    ),
    "a list in a list": (lambda r, s, t: [r, [s, t]], lambda a, b, c: [a, [b, c]]),
    "a dict in a list": (
        lambda r, s, t: [r, {"z": s, "y": t}],
        lambda a, b, c: [a, {"y": c, "z": b}],
    ),
}


@pytest.mark.parametrize("by_keyword", [False, True])
@pytest.mark.parametrize("kind", STRUCTURES)
def test_a_nested_model_takes_its_inputs_by_structure(kind, by_keyword):
    inside, outside = STRUCTURES[kind]
    own = [keras.Input((4,), name=name) for name in ("second", "third", "first")]
    with warnings.catch_warnings():  # that keys are not the names of tensors
        warnings.simplefilter("ignore", UserWarning)
        inner = keras.Model(inside(*own), layers.Concatenate()(own), name="inner")
        inputs = keras.Input((5,))
        given = outside(*(layers.Dense(4, name=name)(inputs) for name in "abc"))
        x = inner(inputs=given) if by_keyword else inner(given)
        model = keras.Model(inputs, layers.Dense(2)(layers.Dense(4)(x)))
        randomise(model, seed=0)
        graph = trace(model)
        keep = np.ones(graph.num_coupled, bool)
        for name, places in {"a": [0, 1], "b": [2, 3], "c": [1]}.items():
            keep[graph.producers[name].labels[places]] = False
        values = np.random.default_rng(0).random((4, 5), "float32")
        assert deviation(graph, keep, values) < 1e-4
    # By hand: the inner model lays a, b, c behind each other.
    slot = next(slot for slot in graph.slots if tuple(slot.variable.shape) == (12, 4))
    expected = np.concatenate([graph.producers[name].labels for name in "abc"])
    np.testing.assert_array_equal(slot.labels, expected)


def test_a_nested_model_that_is_called_with_another_rank_is_refused():
    own = [keras.Input((4,)), keras.Input((3,))]
    inner = keras.Model(own, layers.Concatenate()([layers.Dense(2)(own[0]), own[1]]), name="inner")
    inputs = keras.Input((5,))
    longer = layers.Reshape((4, 1))(layers.Dense(4)(inputs))  # Keras drops its last axis
    model = keras.Model(inputs, inner([longer, layers.Dense(3)(inputs)]))
    with pytest.raises(ParameterError, match=r"calls inner .* rank \[3, 2\], expected \[2, 2\]"):
        trace(model)


def test_a_shared_layer_couples_what_it_reads():
    image = keras.Input((4, 4, 3))
    a, b = layers.Conv2D(4, 1, name="a")(image), layers.Conv2D(4, 1, name="b")(image)
    shared = layers.Conv2D(2, 1, name="shared")
    x = layers.Concatenate()([shared(a), shared(b)])
    model = keras.Model(image, layers.Conv2D(1, 1, name="out")(x))
    assert groups(model) == {("a", "b"): (4, 4), ("shared",): (2, 2), ("out",): (1, 0)}


def test_a_nested_model_called_twice_couples_its_inputs():
    inner_input = keras.Input((4,))
    inner = keras.Model(inner_input, layers.Dense(3, name="deep")(inner_input), name="inner")
    inputs = keras.Input((5,))
    a, b = layers.Dense(4, name="a")(inputs), layers.Dense(4, name="b")(inputs)
    x = layers.Add()([inner(a), inner(b)])
    model = keras.Model(inputs, layers.Dense(2, name="out")(x))
    assert groups(model) == {("a", "b"): (4, 4), ("inner/deep",): (3, 3), ("out",): (2, 0)}


class Subclassed(keras.Model):
    """Python code in its call."""

    def call(self, inputs):
        return inputs


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Subclassed, "subclassed"),
        (lambda: nested(Centred), "subclassed Centred"),
        (lambda: keras.Sequential([layers.Dense(3)]), "is not built"),
        (lambda: "model.keras", "received str"),
    ],
)
def test_models_without_a_graph_are_refused(model, words):
    with pytest.raises(ParameterError, match=words):
        trace(model())


@pytest.mark.parametrize("place", ["alone", "nested", "nested twice"])
def test_a_functional_model_of_a_class_of_its_own_becomes_a_plain_one(place, halved):
    model = Wide(8)
    if place != "alone":
        image = keras.Input((4, 4, 3))
        x = model(layers.Conv2D(6, 1)(image))
        if place == "nested twice":
            x = layers.Add()([x, model(layers.Conv2D(6, 1)(image))])
        model = keras.Model(image, layers.Conv2D(2, 1)(x))
    randomise(model, seed=0)
    pixels = np.random.default_rng(0).random((2, *model.inputs[0].shape[1:])).astype("float32")
    before = np.asarray(model(pixels))
    graph = trace(model)
    assert graph.barriers == ()
    assert type(graph.model) is Functional
    np.testing.assert_array_equal(graph.model(pixels), before)
    assert deviation(graph, halved(graph), pixels) < 1e-5
    smaller = remove(graph, halved(graph))
    assert not any(type(layer) is Wide for layer in smaller.layers)
    np.testing.assert_array_equal(model(pixels), before)


def test_a_layer_inside_a_wrapper_and_outside_it_is_refused():
    inputs = keras.Input((5, 4))
    dense = layers.Dense(6, name="both")
    x = layers.Add()([layers.TimeDistributed(dense, name="each")(inputs), dense(inputs)])
    with pytest.raises(ParameterError, match="'both' at both each/both and both"):
        trace(keras.Model(inputs, x))
