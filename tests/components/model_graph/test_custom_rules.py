"""Layers that are not Keras's own: rules that users say, and those of well-known ones."""

import keras
import numpy as np
import pytest
from keras import layers

from slimderm import ParameterError, prune, register_rule
from slimderm.components.model_graph import custom_rules
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.proof import deviation, randomise

BARRIER = "no rule for"


class Bend(layers.Layer):
    """Every value by itself, with one number that is learned."""

    def build(self, shape):
        self.slope = self.add_weight(shape=(1,), initializer="ones")

    def call(self, inputs):
        return keras.ops.tanh(inputs * self.slope)


class Scale(layers.Layer):
    """A factor and an offset for each channel."""

    def __init__(self, dim, **more):
        super().__init__(**more)
        self.dim = dim

    def build(self, shape):
        self.gain = self.add_weight(shape=(1, self.dim), initializer="ones")
        self.shift = self.add_weight(shape=(self.dim,), initializer="zeros")

    def call(self, inputs):
        return inputs * self.gain + self.shift

    def get_config(self):
        return {**super().get_config(), "dim": self.dim}


class Weighted(layers.Layer):
    """A sum of two."""

    def call(self, inputs):
        return inputs[0] + 0.5 * inputs[1]


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setattr(custom_rules, "_registered", {})


@pytest.fixture
def functions():
    """Forget the functions that a test registers."""
    before = set(custom_rules.ELEMENTWISE)
    yield
    custom_rules.ELEMENTWISE.intersection_update(before)


def network(make):
    image = keras.Input((6, 6, 3))
    x = layers.Conv2D(8, 3, padding="same")(image)
    x = make(x)
    model = keras.Model(image, layers.Dense(2)(layers.Flatten()(layers.Conv2D(4, 3)(x))))
    randomise(model, seed=0)
    return model


CASES = {
    "elementwise": (Bend, {}, Bend()),
    "channelwise": (Scale, {"sizes": ["dim"]}, Scale(8)),
    "merging": (Weighted, {}, lambda x: Weighted()([x, layers.Conv2D(8, 1)(x)])),
}


@pytest.mark.parametrize("kind", CASES)
def test_a_layer_whose_rule_is_said_is_followed(kind, halved):
    layer, more, make = CASES[kind]
    model = network(make)
    assert BARRIER in trace(model).barriers[0].reason
    register_rule(layer, kind, **more)
    graph = trace(model)
    assert graph.barriers == ()
    image = np.random.default_rng(0).random((2, 6, 6, 3)).astype("float32")
    assert deviation(graph, halved(graph), image) < 1e-5
    smaller = prune(model, ratio=0.5).model
    assert smaller.layers[1].filters == 4
    found = [each for each in smaller.layers if type(each) is layer]
    assert [getattr(each, "dim", 4) for each in found] == [4]


def bent(x):
    """Its operations do not show that it treats every value by itself."""
    return keras.ops.flip(keras.ops.flip(keras.ops.tanh(x) * 2, axis=-1), axis=-1)


FUNCTIONS = {
    "lambda": lambda: layers.Lambda(bent),
    "its shape is said": lambda: layers.Lambda(bent, output_shape=(6, 6, 8)),
    "activation": lambda: layers.Activation(bent),
    "a layer's activation": lambda: layers.Dense(8, activation=bent),
}


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_a_function_is_followed_where_it_is_said_to_be_elementwise(kind, halved, functions):
    model = network(FUNCTIONS[kind]())
    assert len(trace(model).barriers) == 1
    register_rule(bent, "elementwise")
    graph = trace(model)
    assert graph.barriers == ()
    image = np.random.default_rng(0).random((2, 6, 6, 3)).astype("float32")
    assert deviation(graph, halved(graph), image) < 1e-5
    smaller = prune(model, ratio=0.5).model
    assert smaller.layers[1].filters == 4
    assert smaller(image).shape == (2, 2)


def test_a_function_can_only_be_elementwise():
    with pytest.raises(ParameterError, match="for the function bent, expected elementwise"):
        register_rule(bent, "channelwise")


def test_a_subclass_needs_a_line_of_its_own():
    class Other(Bend):
        pass

    register_rule(Bend, "elementwise")
    assert BARRIER in trace(network(Other())).barriers[0].reason


def test_weights_that_do_not_fit_what_is_said_are_a_barrier():
    register_rule(Scale, "elementwise")
    (barrier,) = trace(network(Scale(8))).barriers
    assert barrier.reason == "a weight of shape (1, 8)"


def test_a_rule_of_ones_own_is_asked():
    asked = []

    def rule(coupling, call, inputs):
        asked.append(call.path)
        return inputs[0]

    register_rule(Bend, rule)
    assert trace(network(Bend(name="bend"))).barriers == ()
    assert asked == ["bend"]


def test_sizes_beside_another_rule_are_refused():
    with pytest.raises(ParameterError, match="expected them beside channelwise alone"):
        register_rule(Bend, "elementwise", sizes=["dim"])


@pytest.mark.parametrize(
    ("kind", "rule", "said"),
    [
        (
            "Bend",
            "elementwise",
            "kind: received 'Bend', expected a class of Keras layers or a function",
        ),
        (layers.Dense, "elementwise", "Keras's own Dense, whose rule is known"),
        (Bend, "per channel", "rule: received 'per channel', expected one of"),
    ],
)
def test_what_cannot_be_registered_is_refused(kind, rule, said):
    with pytest.raises(ParameterError) as caught:
        register_rule(kind, rule)
    assert said in str(caught.value)


def test_every_known_layer_is_there():
    """Keras may move or rename a class: then its line in the table is dead."""
    import importlib

    for place in custom_rules.KNOWN:
        module, _, name = place.rpartition(".")
        if not module.startswith("keras."):
            continue  # of a library that is not installed here
        assert issubclass(getattr(importlib.import_module(module), name), layers.Layer)
