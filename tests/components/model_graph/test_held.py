"""What layers hold, give out and say of themselves, where a graph has no place for it."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from slimderm import ParameterError, prune, register_rule, verify
from slimderm.components.model_graph import custom_rules, held
from slimderm.components.model_graph.plain import plain
from slimderm.components.model_graph.standard import Standard, rms_normalization
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.proof import randomise


class Scored(layers.Layer):
    """Gives out None, where it was not asked for scores, and its channels turned round."""

    def build(self, shape):
        self.wide = layers.Dense(12, activation="relu", name="wide")
        self.narrow = layers.Dense(8, name="narrow")
        self.wide.build(shape)
        self.narrow.build((*shape[:-1], 12))

    def call(self, x, scores=False):
        return (ops.sum(x) if scores else None), x + self.narrow(self.wide(x)), (), -x


class Outer(layers.Layer):
    """Holds such layers in a list and by name, and gives out a constant beside."""

    def build(self, shape):
        self.first = Scored(name="first")
        self.more = [Scored(name="second")]
        for each in (self.first, *self.more):
            each.build(shape)

    def call(self, x):
        _, y, _, turned = self.first(x)
        nothing, y, *_ = self.more[0](y)
        assert nothing is None
        return y + 0.5 * turned, ops.zeros((0, 8))


class Turning(layers.Layer):
    """Has no weights, and is called with tensors of different shapes; its config fails."""

    def call(self, x):
        return ops.flip(x, axis=1)

    def get_config(self):
        raise NotImplementedError


class Said(layers.Layer):
    """Says one place more than it has."""

    def build(self, shape):
        self.dense = layers.Dense(8, name="dense")
        self.dense.build(shape)

    def call(self, x):
        return self.dense(x)

    def compute_output_shape(self, shape):
        return (shape[0], shape[1] + 1, 8)


class Probe(layers.Layer):
    """A weight, repeated for each sample."""

    def build(self, shape):
        self.probe = self.add_weight(shape=(1, 1, 8), initializer="normal", name="probe")

    def call(self, x):
        return x + ops.repeat(self.probe, ops.shape(x)[0], axis=0)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setattr(custom_rules, "_registered", {})
    for kind in (Scored, Outer, Turning, Said, Probe):
        register_rule(kind, "composite")


def network(change):
    x = keras.Input((5, 6))
    y = change(layers.Dense(8, name="before")(x))
    model = keras.Model(x, layers.Dense(3, name="last")(y))
    randomise(model, seed=0)
    return model


def values(batch=2):
    return np.random.default_rng(batch).normal(size=(batch, 5, 6)).astype("float32")


def turned(x):
    turn = Turning(name="turn")
    return layers.Concatenate()([turn(x), turn(layers.Dense(4, name="beside")(x))])


CHANGES = {
    "None beside tensors": (lambda x: Outer(name="block")(x)[0], "block/first/wide", 6),
    "another size than is said": (lambda x: Outer(name="b")(Said(name="a")(x))[0], "a/dense", 4),
    "different shapes": (turned, "before", 4),
    "repeated for each": (Probe(name="block"), "before", 4),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_it_is_followed(kind, tmp_path):
    change, path, width = CHANGES[kind]
    model = network(change)
    pruned = prune(model, ratio=0.5)
    assert pruned.report.barriers == ()
    assert pruned.report.widths[path][1] == width
    assert verify(model, pruned) < 1e-5
    followed = plain(model)
    for batch in (1, 4):
        np.testing.assert_allclose(followed(values(batch)), model(values(batch)), atol=1e-5)
    pruned.model.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_allclose(again(values()), pruned.model(values()), atol=1e-6)


def test_the_proof_notices_outputs_that_are_mistaken_for_each_other(monkeypatch):
    right = held._tensors_alone

    class Wrong:
        def __init__(self, layer):
            self.alone = right(layer)

        def __call__(self, *args, **kwargs):
            return self.alone(*args, **kwargs)[::-1]

        def __getattr__(self, name):
            return getattr(self.alone, name)

    monkeypatch.setattr(held, "_tensors_alone", Wrong)
    model = network(CHANGES["None beside tensors"][0])
    assert verify(model, prune(model, ratio=0.5)) > 1e-2


def test_a_layer_inside_that_gives_out_none_must_be_composite():
    del custom_rules._registered[Scored]
    graph = trace(network(CHANGES["None beside tensors"][0]))
    barriers = {barrier.path: barrier.reason for barrier in graph.barriers}
    assert "first, which gives out what is no tensor and is not composite" in barriers["block"]


class Norm(layers.Layer):
    """Divides by the root of the mean square; its config does not say what it adds to that."""

    def __init__(self, epsilon=1e-6, **more):
        super().__init__(**more)
        self.epsilon = epsilon

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), name="scale")

    def call(self, x):
        return x * ops.rsqrt(ops.mean(x * x, axis=-1, keepdims=True) + self.epsilon) * self.scale

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        return {"name": self.name}


def normalised():
    return network(Norm(0.5, name="norm"))


def test_one_of_keras_takes_the_place_of_another_normalisation():
    register_rule(Norm, Standard(rms_normalization))
    model = normalised()
    pruned = prune(model, ratio=0.5, moving_statistics=True)
    assert pruned.report.widths["before"] == (8, 4)
    assert verify(model, pruned) < 1e-5
    layer = pruned.model.get_layer("norm")
    assert type(layer) is layers.RMSNormalization
    assert layer.epsilon == 0.5


def test_the_proof_notices_one_that_computes_something_else():
    register_rule(Norm, Standard(lambda layer: rms_normalization(layer, offset=1)))
    model = normalised()
    assert verify(model, prune(model, ratio=0.5)) > 1e-2


def test_a_standard_layer_inside_a_wrapper_is_a_barrier():
    register_rule(Norm, Standard(rms_normalization))
    (barrier,) = trace(network(layers.TimeDistributed(Norm()))).barriers
    assert barrier.reason == "Norm stands inside a wrapper"


def test_a_setting_that_the_config_does_not_say_is_refused():
    register_rule(Norm, "channelwise")
    with pytest.raises(ParameterError, match=r"norm: .*Norm whose epsilon of 0.5 is 1e-06 when"):
        prune(normalised(), ratio=0.5)
