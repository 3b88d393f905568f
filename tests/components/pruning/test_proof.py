"""Channels that nothing reads can go: the proof on real architectures, on graphs at random, and on
surgery that is wrong on purpose."""

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers, ops

from slimderm import ParameterError, prune, verify
from slimderm.components.model_graph import graph as graph_module
from slimderm.components.model_graph import rules_shape
from slimderm.components.model_graph.rules_values import ELEMENTWISE_NAMES
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning import surgery
from slimderm.components.pruning.proof import deviation, randomise, without_softmax
from slimderm.components.training.build import build

TOLERANCE = 1e-4
APPLICATIONS = {
    "VGG16": 32,
    "ResNet50V2": 32,
    "DenseNet169": 32,
    "MobileNetV2": 32,
    "MobileNetV3Small": 32,
    "EfficientNetB0": 32,
    "InceptionV3": 75,
}


def batch(model, seed=0):
    random = np.random.default_rng(seed)
    inputs = [random.uniform(0, 1, (2, *t.shape[1:])).astype("float32") for t in model.inputs]
    if isinstance(model.input, dict):
        return {t.name: value for t, value in zip(model.inputs, inputs, strict=True)}
    return inputs if len(inputs) > 1 else inputs[0]


SLOW = ("DenseNet169", "InceptionV3", "EfficientNetB0")  # of as many layers as the rest together


@pytest.mark.parametrize(
    "name",
    [pytest.param(each, marks=[pytest.mark.slow] * (each in SLOW)) for each in APPLICATIONS],
)
def test_pruned_applications_compute_what_they_should(name, halved):
    size = APPLICATIONS[name]
    model = getattr(keras.applications, name)(
        weights=None, input_shape=(size, size, 3), classifier_activation=None
    )
    randomise(model, seed=1)
    graph = trace(model)
    keep = halved(graph)
    assert deviation(graph, keep, batch(model)) < TOLERANCE
    assert not graph.barriers
    stays = [group.name for group in graph.groups if not group.free.any()]
    assert stays == ["predictions" if name != "MobileNetV3Small" else "logits"]


@pytest.mark.parametrize("name", ["lenet5", "alexnet", "custom1", "custom2"])
@pytest.mark.parametrize("image_only", [True, False])
def test_pruned_paper_networks_compute_what_they_should(name, image_only, halved):
    model = build(name, num_classes=4, input_shape=(48, 32), image_only=image_only)
    model = without_softmax(model)
    randomise(model, seed=2)
    graph = trace(model)
    assert deviation(graph, halved(graph), batch(model)) < TOLERANCE


SHARED = {
    "prelu": layers.PReLU,
    "prelu, one slope a channel": lambda: layers.PReLU(shared_axes=[1, 2]),
    "a group for each channel": lambda: layers.Conv2D(4, 1, groups=4),
    "depthwise": lambda: layers.DepthwiseConv2D(3),
    "rescaling": lambda: layers.Rescaling([1.0, 2.0, 3.0, 4.0], offset=[0.0, 1.0, 0.0, 2.0]),
    "normalization": lambda: layers.Normalization(mean=[1, 2, 3, 4], variance=[1, 2, 3, 4]),
    "reshape": lambda: layers.Reshape((16, 4)),
}


@pytest.mark.parametrize("image_first", [True, False])
@pytest.mark.parametrize("kind", SHARED)
def test_a_layer_that_sees_the_image_too_keeps_its_channels(kind, image_first, halved):
    image = keras.Input((4, 4, 4))
    x = layers.Conv2D(6, 1, name="before")(image)
    x = layers.Conv2D(4, 1, name="near")(x)
    shared = SHARED[kind]()
    seen = [shared(tensor) for tensor in ([image, x] if image_first else [x, image])]
    model = keras.Model(image, layers.Dense(2)(layers.Flatten()(layers.Concatenate()(seen))))
    randomise(model, seed=0)
    graph = trace(model)
    free = {group.name: bool(group.free.any()) for group in graph.groups}
    assert free["before"]
    assert not free["near"]
    assert deviation(graph, halved(graph), batch(model)) < TOLERANCE


@pytest.mark.parametrize(
    "name", sorted(set(ELEMENTWISE_NAMES) - {"linear", "exponential", "mish", "threshold"})
)
def test_an_operation_that_is_an_activation_hides_no_channels(name, halved):
    inputs = keras.Input((6,))
    x = layers.Dense(8, activation=getattr(keras.ops, name))(inputs)
    x = layers.Activation(getattr(keras.ops, name))(layers.Dense(8)(x))
    model = keras.Model(inputs, layers.Dense(3)(x))
    randomise(model, seed=0)
    graph = trace(model)
    assert not graph.barriers
    assert deviation(graph, halved(graph), batch(model)) < TOLERANCE
    same = surgery.remove(graph, np.ones(graph.num_coupled, bool))
    np.testing.assert_array_equal(same(batch(model)), model(batch(model)))


# Graphs at random: a few blocks, each with a kind, applied to a list of tensors of one size.
KINDS = (
    "conv", "norm", "add", "multiply", "concatenate", "branch", "depthwise", "grouped", "separable",
    "squeeze", "nest", "share", "pool", "prelu", "transposed", "subtract", "operation",
    "beside", "twice", "channelwise", "outputs", "permute", "reshape",
)  # fmt: skip
SEQUENCES = (
    "attention", "grouped attention", "einsum", "recurrent", "both ways", "over channels",
    "split", "operations",
)  # fmt: skip


def grow(kinds, widths, places):
    """Make a functional model from drawn numbers."""
    image = keras.Input((8, 8, 3))
    tensors = [layers.Conv2D(4, 3, padding="same")(image)]
    shared = layers.Conv2D(4, 1, activation="relu")
    inner_input = keras.Input((8, 8, 4))
    inner = keras.Model(
        inner_input,
        layers.Add()([layers.Conv2D(4, 3, padding="same")(inner_input), inner_input]),
    )
    inner_input = keras.Input((8, 8, 4))
    wider = layers.Conv2D(6, 1, activation="relu")(inner_input)
    outputs = keras.Model(
        inner_input, [layers.Add()([layers.Conv2D(4, 1)(wider), inner_input]), wider]
    )
    models = {"share": shared, "nest": inner, "outputs": outputs}
    for kind, width, place in zip(kinds, widths, places, strict=True):
        tensors.append(block(kind, width, tensors, place, models))
    merged = layers.Concatenate()(tensors[-3:])
    x = layers.Flatten()(layers.MaxPooling2D(4)(merged))
    x = layers.Dense(5, activation="tanh")(x)
    return keras.Model(image, [layers.Dense(3)(x), layers.GlobalAveragePooling2D()(tensors[-1])])


def block(kind, width, tensors, place, models):
    x, y = tensors[place % len(tensors)], tensors[-1]
    if kind in ("add", "multiply", "subtract", "operation", "beside"):
        if x.shape[-1] != y.shape[-1]:
            x = layers.Conv2D(y.shape[-1], 1)(x)
        if kind == "operation":
            return (x + y) * 0.5 + 1.0
        if kind == "beside":  # along space
            return layers.MaxPooling2D((2, 1))(layers.Concatenate(axis=1)([x, y]))
        return {"add": layers.Add, "multiply": layers.Multiply, "subtract": layers.Subtract}[
            kind
        ]()([x, y])
    if kind == "concatenate":
        return layers.Conv2D(width, 1, activation="relu")(layers.Concatenate()([x, y]))
    if kind == "squeeze":
        s = layers.GlobalAveragePooling2D()(x)
        s = layers.Reshape((1, 1, x.shape[-1]))(s)
        s = layers.Conv2D(width, 1, activation="relu")(s)
        s = layers.Conv2D(x.shape[-1], 1, activation="sigmoid")(s)
        return layers.Multiply()([x, s])
    if kind == "grouped":
        x = layers.Conv2D(4, 1)(x)
        return layers.Conv2D(4, 3, padding="same", groups=2)(x)
    if kind == "twice":
        wide = layers.Conv2D(2 * x.shape[-1], 1)(y)
        return layers.Add()([layers.Concatenate()([x, x]), wide])
    if kind in SEQUENCES:
        return sequence(kind, width, x, y)
    if kind in models:
        made = models[kind](layers.Conv2D(4, 1)(x))
        return layers.Concatenate()(made) if kind == "outputs" else made
    if kind == "permute":
        x = layers.ReLU()(layers.Permute((2, 3, 1))(x))  # (W, C, H)
        return layers.Permute((3, 1, 2))(x)
    if kind == "reshape":
        x = layers.Conv1D(width, 1)(layers.Reshape((64, x.shape[-1]))(x))
        return layers.Reshape((8, 8, width))(x)
    simple = {
        "conv": lambda: layers.Conv2D(width, 3, padding="same", activation="relu"),
        "branch": lambda: layers.Conv2D(width, 1, activation="gelu"),
        "norm": layers.BatchNormalization,
        "depthwise": lambda: layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2),
        "separable": lambda: layers.SeparableConv2D(width, 3, padding="same", depth_multiplier=2),
        "channelwise": lambda: layers.Conv2D(x.shape[-1], 1, groups=x.shape[-1]),
        "pool": lambda: layers.AveragePooling2D(3, strides=1, padding="same"),
        "prelu": lambda: layers.PReLU(shared_axes=[1, 2]),
        "transposed": lambda: layers.Conv2DTranspose(width, 3, padding="same"),
    }
    return simple[kind]()(x)


def sequence(kind, width, x, y):
    """A block of what transformers and recurrent networks have, on the rows of an image."""
    channels = x.shape[-1]
    if kind == "split":
        first, second = ops.split(layers.Conv2D(2 * width, 1)(x), 2, axis=-1)
        return first * ops.sigmoid(second)
    if kind == "operations":
        x = ops.concatenate([x[..., : channels // 2], ops.roll(y, 1, axis=1)], axis=-1)
        return layers.Conv2D(width, 1)(ops.transpose(x, (0, 2, 1, 3)))
    if kind == "einsum":
        return layers.EinsumDense("bhwc,cd->bhwd", (8, 8, width), bias_axes="d")(x)
    if kind == "over channels":
        return (layers.LayerNormalization, layers.RMSNormalization)[width % 2]()(x)
    places = ops.reshape(x, (-1, 64, channels))
    if kind == "attention":
        places = places + layers.MultiHeadAttention(3, 4)(places, places)
    elif kind == "grouped attention":
        places = layers.GroupQueryAttention(3, 4, 2)(places, places)
    else:  # a step is a row, with the channels of all its places
        rows = ops.reshape(x, (-1, 8, 8 * channels))
        layer = (layers.LSTM, layers.GRU, layers.SimpleRNN)[width % 3]
        layer = layer(width, return_sequences=True)
        rows = (layers.Bidirectional(layer) if kind == "both ways" else layer)(rows)
        return ops.repeat(ops.expand_dims(rows, 2), 8, axis=2)
    return ops.reshape(places, (-1, 8, 8, channels))


@pytest.mark.parametrize("kind", SEQUENCES)
def test_blocks_of_sequences_compute_what_they_should(kind, halved):
    check_grown([kind, "conv", kind], [4, 5, 3], [0, 1, 2], halved)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_graphs_at_random_compute_what_they_should(halved, data):
    number = data.draw(st.integers(2, 7))
    drawn = st.sampled_from(KINDS + SEQUENCES)
    kinds = data.draw(st.lists(drawn, min_size=number, max_size=number))
    widths = data.draw(st.lists(st.integers(2, 6), min_size=number, max_size=number))
    places = data.draw(st.lists(st.integers(0, 9), min_size=number, max_size=number))
    check_grown(kinds, widths, places, halved)


def check_grown(kinds, widths, places, halved):
    keras.utils.clear_session()
    model = grow(kinds, widths, places)
    randomise(model, seed=len(kinds))
    graph = trace(model, moving="over channels" in kinds)
    keep = halved(graph, seed=len(kinds))
    assert not graph.barriers
    assert deviation(graph, keep, batch(model)) < TOLERANCE


def test_the_proof_notices_a_list_of_places_that_is_shifted(small, halved, monkeypatch):
    graph = trace(small())
    keep = halved(graph)
    right = graph_module.kept

    def shifted(keep, labels):
        places = right(keep, labels)
        return np.roll(places, 1) if len(labels) == 6 and not places.all() else places

    monkeypatch.setattr(surgery, "kept", shifted)
    assert deviation(graph, keep, batch(graph.model)) > TOLERANCE


def test_the_proof_notices_what_is_no_number(small, halved, monkeypatch):
    graph = trace(small())

    def spoilt(graph, keep):
        model = surgery.remove(graph, keep)
        model.get_layer("out").bias.assign([np.nan] * 3)
        return model

    monkeypatch.setattr("slimderm.components.pruning.proof.remove", spoilt)
    assert deviation(graph, halved(graph), batch(graph.model)) == np.inf


def test_the_proof_notices_a_concatenation_in_the_wrong_order(halved, monkeypatch):
    image = keras.Input((4, 4, 3))
    first, second = (layers.Conv2D(4, 1)(image) for _ in range(2))
    x = layers.GlobalAveragePooling2D()(layers.Concatenate()([first, second]))
    model = keras.Model(image, layers.Dense(2)(x))
    randomise(model, seed=0)
    graph = trace(model)
    assert deviation(graph, halved(graph), batch(model)) < TOLERANCE

    def backwards(coupling, call, inputs):
        joined = rules_shape.concatenate(coupling, call, inputs)
        return (*joined[:-1], joined[-1][::-1])

    monkeypatch.setitem(rules_shape.SHAPE_RULES, layers.Concatenate, backwards)
    monkeypatch.setattr(
        "slimderm.components.model_graph.rules.RULES",
        {**_rules(), layers.Concatenate: backwards},
    )
    wrong = trace(model)
    keep = np.array([True] * wrong.num_coupled)
    keep[[0, 1, 5]] = False
    # What nothing reads is decided by the right labels, what goes by the wrong ones.
    monkeypatch.setattr(
        "slimderm.components.pruning.proof.remove", lambda _, keep: _cut(wrong, keep)
    )
    assert deviation(graph, keep, batch(model)) > TOLERANCE


def _rules():
    from slimderm.components.model_graph import rules

    return rules.RULES


def _cut(graph, keep):
    return surgery.remove(graph, keep)


def test_verify_judges_a_pruned_model_and_notices_a_wrong_one(small):
    model = small()
    randomise(model, seed=0)
    pruned = prune(model, ratio=0.5)
    assert verify(model, pruned) < 1e-5
    assert verify(model, pruned, batch(model, seed=3)) < 1e-5
    kernel = pruned.model.layers[2].weights[0]
    kernel.assign(np.asarray(kernel)[..., ::-1])
    assert verify(model, pruned) > TOLERANCE
    other = keras.Model(model.inputs, layers.Dense(2)(model.layers[-2].output))
    with pytest.raises(ParameterError, match="expected one written for this model"):
        verify(other, pruned)


def test_removing_nothing_gives_the_same_model(small):
    model = small()
    graph = trace(model)
    same = surgery.remove(graph, np.ones(graph.num_coupled, bool))
    assert same.get_config() == model.get_config()
    for one, other in zip(model.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
