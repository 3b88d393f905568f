"""Layers that are followed by what is inside them: small ones of the kinds that packages have."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from slimderm import prune, register_rule, verify
from slimderm.components.model_graph import batch_sizes, custom_rules
from slimderm.components.model_graph.composite import Composite
from slimderm.components.model_graph.decoders import without_cache
from slimderm.components.model_graph.plain import plain
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.proof import randomise


class Unsaid(layers.Layer):
    """No layer here can be made again from its config."""

    def get_config(self):
        raise NotImplementedError("what it was made of")


class Encoder(Unsaid):
    """Attention and two dense layers, each added to what comes in; makes its layers itself."""

    def build(self, shape):
        self.attention = layers.MultiHeadAttention(4, shape[-1] // 4, name="attention")
        self.attention.build(shape, shape)
        self.wide = layers.Dense(3 * shape[-1], activation="gelu", name="wide")
        self.wide.build(shape)
        self.narrow = layers.Dense(shape[-1], name="narrow")
        self.narrow.build((*shape[:-1], 3 * shape[-1]))

    def call(self, x, padding_mask=None):
        mask = None if padding_mask is None else ops.expand_dims(padding_mask, 1)
        x = x + self.attention(x, x, attention_mask=mask)
        return x + self.narrow(self.wide(x))


class Tokens(Unsaid):
    """A token of its own before patches, and places, by indices that are constant."""

    def build(self, shape):
        self.token = self.add_weight(shape=(1, 1, 8), initializer="normal", name="token")
        self.patches = layers.Conv2D(8, 2, strides=2, name="patches")
        self.patches.build(shape)
        self.places = layers.Embedding(10, 8, name="places")
        self.places.build((1, 10))
        self.indices = ops.expand_dims(ops.arange(10), 0)

    def call(self, image):
        x = self.patches(image)
        batch, _, _, width = ops.shape(x)
        x = ops.reshape(x, (batch, -1, width))
        x = ops.concatenate([ops.tile(self.token, (batch, 1, 1)), x], axis=1)
        return x + self.places(self.indices)


class Windows(Unsaid):
    """Attention inside windows, one kernel for query, key and value, a number for each distance."""

    def build(self, shape):
        self.all = layers.Dense(3 * shape[-1], name="all")
        self.out = layers.Dense(shape[-1], name="out")
        self.all.build(shape)
        self.out.build(shape)
        self.near = self.add_weight(shape=(3, 2), initializer="normal", name="near")
        self.nothing = layers.Identity(dtype=self.dtype_policy)
        self.distance = ops.convert_to_tensor([[1, 2], [0, 1]])

    def call(self, x):
        batch, places, width = ops.shape(x)
        x = ops.reshape(ops.roll(x, 1, axis=1), (batch, places // 2, 2, width))
        x = ops.reshape(x, (-1, 2, width))
        every = ops.reshape(self.all(x), (ops.shape(x)[0], 2, 3, 2, -1))
        query, key, value = ops.unstack(ops.transpose(every, (2, 0, 3, 1, 4)), axis=0)
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
        scores = scores + ops.transpose(ops.take(self.near, self.distance, axis=0), (2, 0, 1))
        mask = np.where(np.arange(places // 2) == 0, 0.0, -1.0).astype("float32")
        mask = ops.convert_to_tensor(mask[:, None, None, None])  # (windows, 1, 1, 1)
        scores = ops.reshape(scores, (ops.shape(x)[0] // (places // 2), places // 2, 2, 2, 2))
        scores = ops.reshape(scores + mask[None], (-1, 2, 2, 2))
        x = ops.transpose(ops.matmul(ops.softmax(scores), value), (0, 2, 1, 3))
        x = ops.reshape(x, (ops.shape(x)[0], 2, width))
        return self.nothing(ops.reshape(self.out(x), (batch, places, width)))


class Branches(Unsaid):
    """Convolutions beside each other, in a sequence that was built for a padded image."""

    def build(self, shape):
        def both(size):
            made = keras.Sequential([layers.Conv2D(8, size, padding="same"), layers.ReLU()])
            made.build((None, shape[1] + 2, shape[2] + 2, shape[3]))
            return made

        self.few = both(1)
        self.more = [both(3), both(3)]

    def call(self, x, training=None):
        y = self.few(x, training=training)
        for each in self.more:
            y = layers.Add()([y, each(x)])
        return y


class Inside(Unsaid):
    """A composite layer in a composite layer."""

    def build(self, shape):
        self.encoders = [Encoder(name="one"), Encoder(name="two")]
        for encoder in self.encoders:
            encoder.build(shape)

    def call(self, x):
        for encoder in self.encoders:
            x = encoder(x)
        return x


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setattr(custom_rules, "_registered", {})
    for kind in (Encoder, Tokens, Windows, Branches, Inside):
        register_rule(kind, "composite")


def network(kind):
    image = keras.Input((6, 6, 3))
    if kind == "branches":
        x = Branches(name="block")(layers.Conv2D(6, 1, name="first")(image))
        x = layers.GlobalAveragePooling2D()(x)
    elif kind == "tokens":
        x = layers.Conv2D(8, 1, name="beside")(Tokens(name="block")(image)[:, None])
        x = layers.Flatten()(x)
    else:
        block = {"encoder": Encoder, "windows": Windows, "inside": Inside}[kind](name="block")
        x = layers.Dense(8, name="first")(layers.Reshape((6, 18))(image))
        x = layers.Flatten()(layers.Dense(5, activation="relu")(block(x)))
    model = keras.Model(image, layers.Dense(3)(x))
    for seed, weight in enumerate(model.weights):
        weight.assign(np.random.default_rng(seed).normal(0, 0.4, weight.shape))
    return model


SHRINKS = {
    "encoder": {"first": 4, "block/attention/heads": 2, "block/wide": 12, "block/narrow": 4},
    "tokens": {"block/patches": 4, "block/places": 4, "block/token": 4, "beside": 4},
    "windows": {"first": 4, "block/all": 12, "block/near": 1, "block/out": 4},
    "branches": {"first": 3},
    "inside": {"block/one/attention/heads": 2, "block/two/wide": 12},
}


@pytest.mark.parametrize("kind", SHRINKS)
def test_a_composite_layer_is_pruned_inside(kind, barriers_of):
    model = network(kind)
    pruned = prune(model, ratio=0.5)
    assert barriers_of(pruned.report) == []
    widths = {path: after for path, (_, after) in pruned.report.widths.items()}
    assert {path: widths[path] for path in SHRINKS[kind]} == SHRINKS[kind]
    assert verify(model, pruned) < 1e-5
    assert pruned.report.parameters[0] == model.count_params()
    assert pruned.model.count_params() < 0.6 * model.count_params()
    for batch in (1, 3):
        assert pruned.model(np.ones((batch, 6, 6, 3), "float32")).shape == (batch, 3)


@pytest.mark.parametrize("kind", SHRINKS)
def test_what_is_followed_is_what_the_layer_computes(kind, tmp_path):
    model = network(kind)
    images = np.random.default_rng(0).random((5, 6, 6, 3)).astype("float32")
    followed = plain(model)
    np.testing.assert_allclose(followed(images), model(images), atol=1e-5)
    followed.save(tmp_path / "plain.keras")  # of Keras's own layers alone
    np.testing.assert_allclose(
        keras.models.load_model(tmp_path / "plain.keras")(images), model(images), atol=1e-5
    )


def test_the_proof_notices_a_part_that_computes_something_else():
    register_rule(Encoder, Composite({"narrow": lambda dense: lambda x: dense(x) * 1.5}))
    model = network("encoder")
    assert verify(model, prune(model, ratio=0.5)) > 1e-2


def test_a_mask_goes_with_the_call_and_a_layer_may_be_called_twice(barriers_of):
    x, mask = keras.Input((6, 8)), keras.Input((6,), dtype="bool")
    encoder = Encoder(name="block")
    y = encoder(encoder(layers.Dense(8)(x), padding_mask=mask), padding_mask=mask)
    model = keras.Model([x, mask], layers.Dense(3)(layers.Flatten()(y)))
    randomise(model, seed=0)
    random = np.random.default_rng(0)
    inputs = [random.random((2, 6, 8)).astype("float32"), random.random((2, 6)) > 0.4]
    pruned = prune(model, ratio=0.5)
    assert barriers_of(pruned.report) == []
    assert verify(model, pruned, inputs) < 1e-5
    assert len([layer for layer in pruned.model.layers if layer.name == "block"]) == 1


class Hidden(Unsaid):
    """A weight in a list, where nothing takes its place."""

    def build(self, shape):
        self.factors = [self.add_weight(shape=(shape[-1],))]

    def call(self, x):
        return x * self.factors[0]


class Constant(Unsaid):
    """A constant of the batch's size."""

    def call(self, x):
        return x + ops.ones((ops.shape(x)[0], 1, 1))


class Values(Unsaid):
    """Looks at values in Python."""

    def call(self, x):
        return x if float(ops.sum(x)) > 0 else -x

    def compute_output_shape(self, shape):
        return shape


NOT_FOLLOWED = {
    Hidden: "has weights that its call does not show",
    Constant: "has a call that cannot be followed: it makes a constant for each sample",
    Values: "has a call that cannot be followed",
}


@pytest.mark.parametrize("kind", NOT_FOLLOWED)
def test_a_call_that_cannot_be_followed_is_a_barrier(kind):
    register_rule(kind, "composite")
    x = keras.Input((6, 8))
    y = kind()(layers.Dense(8, name="first")(x))
    (barrier,) = trace(keras.Model(x, layers.Dense(3)(y))).barriers
    assert barrier.reason.startswith(f"{kind.__name__} {NOT_FOLLOWED[kind]}")


def test_different_calls_of_one_layer_are_a_barrier():
    x, mask = keras.Input((6, 8)), keras.Input((6,), dtype="bool")
    encoder = Encoder(name="block")
    y = encoder(encoder(layers.Dense(8)(x), padding_mask=mask))
    graph = trace(keras.Model([x, mask], layers.Dense(3)(y)))
    assert {barrier.path for barrier in graph.barriers} == {"block"}


def test_attention_without_a_cache_takes_none():
    with pytest.raises(NotImplementedError, match="cache"):
        without_cache(lambda **_: None)(query=1, value=1, cache=np.ones(3))


def test_a_tensor_is_broadcast_over_any_batch():
    x = keras.Input(batch_shape=(batch_sizes.MARK, 3))
    row = ops.sum(x, axis=0, keepdims=True)
    wide = ops.broadcast_to(row, (batch_sizes.MARK, 3)) + ops.tile(row, (batch_sizes.MARK, 1))
    long = ops.broadcast_to(x[:, None], (batch_sizes.MARK, 2, 3))  # of each sample
    model = batch_sizes.unmarked(keras.Model([x], [wide, long]), name="any")
    assert model.output_shape == [(None, 3), (None, 2, 3)]
    found = model(np.ones((4, 3)))
    np.testing.assert_array_equal(found[0], np.full((4, 3), 8.0))
    np.testing.assert_array_equal(found[1], np.ones((4, 2, 3)))
