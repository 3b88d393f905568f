"""Operations of `keras.ops` are followed, and those that mix channels are not."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from slimderm.components.model_graph.rules_operations import OPERATION_RULES, SPLITTING_RULES
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.proof import deviation, randomise
from slimderm.components.pruning.pruner import prune

WIDTH = 8
FOLLOWED = {
    "clip": lambda x: ops.clip(x, -1, 1),
    "cast": lambda x: ops.cast(ops.cast(x, "bfloat16"), "float32"),
    "where": lambda x: ops.where(x > 0.1, x, 0.3 * x),
    "power": lambda x: ops.power(ops.abs(x) + 0.1, 0.5),
    "mean over places": lambda x: ops.mean(x, axis=[1, 2], keepdims=True) * x,
    "max over a place": lambda x: ops.expand_dims(ops.max(x, axis=1), 1) + x,
    "variance": lambda x: ops.expand_dims(ops.var(x, axis=[1, 2]), [1, 2]) + x,
    "concatenate": lambda x: ops.concatenate([x, ops.relu(x)], axis=-1),
    "stack": lambda x: ops.sum(ops.stack([x, x * x], axis=1), axis=1),
    "pad places": lambda x: ops.pad(x, [[0, 0], [1, 1], [0, 2], [0, 0]]),
    "pad channels": lambda x: ops.pad(x, [[0, 0], [0, 0], [0, 0], [1, 2]]),
    "transpose": lambda x: ops.transpose(ops.transpose(x, [0, 3, 1, 2]), [0, 2, 3, 1]),
    "moveaxis": lambda x: ops.moveaxis(ops.moveaxis(x, -1, 1), 1, -1),
    "swapaxes": lambda x: ops.swapaxes(ops.swapaxes(x, 1, 3), 1, 3),
    "reshape": lambda x: ops.reshape(ops.reshape(x, (-1, 36, WIDTH)), (-1, 6, 6, WIDTH)),
    "squeeze": lambda x: ops.squeeze(ops.expand_dims(x, 1), 1),
    "slice places": lambda x: x[:, 1:5, ::2, :],
    "one place": lambda x: ops.expand_dims(x[:, 2], 1),
    "ellipsis": lambda x: x[..., :4, :],
    "halves": lambda x: ops.add(*ops.split(x, 2, axis=-1)),
    "cut at a place": lambda x: ops.concatenate(ops.split(x, [3], axis=-1)[::-1], axis=-1),
    "split places": lambda x: ops.concatenate(ops.split(x, 3, axis=1), axis=2),
    "a slice of channels": lambda x: x[..., 2:6],
    "slices of channels": lambda x: ops.concatenate([x[..., -3:], x[:, :, :, :5]], axis=-1),
    "one channel": lambda x: x * ops.expand_dims(x[..., -2], -1),
    "channels turned round": lambda x: x[..., ::-1],
    "slice": lambda x: ops.slice(x, (0, 1, 0, 2), (-1, 4, 6, 5)),
    "flip": lambda x: ops.flip(x, axis=-1),
    "repeat": lambda x: ops.repeat(x, 2, axis=-1),
    "tile": lambda x: ops.tile(x, [1, 1, 1, 2]),
    "resize": lambda x: ops.image.resize(x, (3, 3)),
    "resizing": layers.Resizing(4, 4),
    "pool": lambda x: ops.max_pool(x, 2),
    "average pool": lambda x: ops.average_pool(x, 2),
    "einsum, value by value": lambda x: ops.einsum("bhwc,bhwc->bhwc", x, ops.tanh(x)),
    "einsum, a factor for each channel": lambda x: ops.einsum(
        "bhwc,bc->bhwc", x, ops.mean(x, axis=[1, 2])
    ),
    "einsum over places": lambda x: ops.expand_dims(ops.einsum("bhwc,bvwc->bhc", x, x), 1),
    "batch laid together": lambda x: ops.reshape(ops.reshape(x, (-1, WIDTH)), (-1, 6, 6, WIDTH)),
    "windows": lambda x: ops.reshape(ops.reshape(x, (-1, 3, 2, 6, WIDTH)), (-1, 6, 6, WIDTH)),
    "places taken by indices": lambda x: ops.take(x, [[1, 3], [5, 0]], axis=1)[:, 0],
    "places rolled and added up": lambda x: ops.cumsum(ops.roll(x, (1, 2), axis=(1, 2)), axis=1),
    "places taken apart": lambda x: ops.stack(ops.unstack(x, axis=1)[::-1], axis=1),
    "softmax over places": lambda x: ops.softmax(x, axis=2)[:, :, :3],
    "constants of each place": lambda x: x * np.arange(36, dtype="f").reshape(6, 6, 1),
    "tensors of other rank": lambda x: x + ops.sum(x, axis=[0, 1]),
    "zeros in its form": lambda x: x + ops.sum(ops.zeros_like(x), axis=-1, keepdims=True),
    "einsum, moved": lambda x: ops.einsum("bchw->bhwc", ops.einsum("b...c->bc...", x)),
}
if keras.backend.backend() == "torch":  # which takes no negative steps
    del FOLLOWED["channels turned round"]
BARRIERS = {
    "mean over channels": lambda x: x - ops.mean(x, axis=-1, keepdims=True),
    "every other channel": lambda x: x[..., ::2],
    "bounds of each channel": lambda x: ops.clip(x, [0.0] * WIDTH, [1.0] * WIDTH),
    "mirrored channels": lambda x: ops.pad(x, [[0, 0]] * 3 + [[1, 1]], mode="reflect"),
    "batch laid together with channels": lambda x: ops.reshape(
        ops.reshape(x, (-1, 2 * WIDTH)), (-1, 6, 6, WIDTH)
    ),
    "channels taken by indices": lambda x: ops.take(x, [1, 3], axis=-1),
    "channels added up": lambda x: ops.cumsum(x, axis=-1),
    "channels taken apart": lambda x: ops.stack(ops.unstack(x, axis=-1), axis=-1),
    "softmax over channels": lambda x: ops.softmax(x, axis=-1),
    "constants of each channel": lambda x: x * np.ones(WIDTH, "f"),
    "einsum over channels": lambda x: x * ops.einsum("bhwc,bhwc->bhw", x, x)[..., None],
    "einsum, a letter twice": lambda x: ops.einsum("bhhc->bhc", x)[:, None],
    "einsum with a constant": lambda x: ops.einsum("bhwc,cd->bhwd", x, np.eye(WIDTH, dtype="f")),
    "matmul over channels": lambda x: ops.matmul(x, ops.swapaxes(x, 2, 3)),
    "rolled channels": lambda x: ops.roll(x, 1, axis=-1),
}

FAULTS = {  # of what follows an operation: its channels in another order, or others of them
    "Take": FOLLOWED["places taken by indices"],
    "Roll": lambda x: ops.roll(x, (1, 2), axis=(1, 2)),
    "Cumsum": lambda x: ops.cumsum(x, axis=1),
    "Unstack": FOLLOWED["places taken apart"],
    "Softmax": FOLLOWED["softmax over places"],
    "Multiply": FOLLOWED["constants of each place"],
    "Reshape": lambda x: ops.reshape(x, (-1, 3, 2, 6, WIDTH))[:, 0],
}


def network(change):
    image = keras.Input((6, 6, 3))
    x = layers.Conv2D(WIDTH, 3, padding="same", activation="relu", name="first")(image)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 1, name="second")(change(x)))
    model = keras.Model(image, layers.Dense(2)(x))
    randomise(model, seed=0)
    return model


@pytest.mark.parametrize("kind", FOLLOWED)
def test_an_operation_is_followed(kind, halved, tmp_path):
    model = network(FOLLOWED[kind])
    graph = trace(model)
    assert graph.barriers == ()
    image = np.random.default_rng(0).random((2, 6, 6, 3)).astype("float32")
    assert deviation(graph, halved(graph), image) < 1e-4
    pruned = prune(model, ratio=0.5)
    assert pruned.report.widths["first"] == (WIDTH, WIDTH // 2)
    pruned.model.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_allclose(again(image), pruned.model(image), atol=1e-6)
    again.compile("sgd", "mse")
    assert np.isfinite(again.train_on_batch(image, np.zeros((2, 2))))


@pytest.mark.parametrize("kind", BARRIERS)
def test_what_mixes_channels_is_a_barrier(kind):
    graph = trace(network(BARRIERS[kind]))
    (barrier,) = graph.barriers
    assert barrier.num_coupled == WIDTH


@pytest.mark.parametrize("kind", FAULTS)
def test_the_proof_notices_a_wrong_rule(kind, halved, monkeypatch):
    table = SPLITTING_RULES if kind in SPLITTING_RULES else OPERATION_RULES
    right = table[kind]

    def turned(axes):
        return tuple(None if labels is None else labels[::-1] for labels in axes)

    def wrong(coupling, call, inputs):
        made = right(coupling, call, inputs)
        return [turned(axes) for axes in made] if isinstance(made, list) else turned(made)

    monkeypatch.setitem(table, kind, wrong)
    graph = trace(network(FAULTS[kind]))
    keep = np.ones(graph.num_coupled, bool)
    keep[graph.producers["first"].labels[:3]] = False
    image = np.random.default_rng(0).random((2, 6, 6, 3)).astype("float32")
    assert deviation(graph, keep, image) > 1e-2


def test_a_pruned_model_of_operations_is_saved_and_read(tmp_path, halved):
    model = network(lambda x: ops.reshape(FOLLOWED["cut at a place"](x), (-1, 36, 1, WIDTH)))
    pruned = prune(model, ratio=0.5).model
    pruned.save(tmp_path / "small.keras")
    image = np.random.default_rng(0).random((2, 6, 6, 3)).astype("float32")
    again = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_array_equal(again(image), pruned(image))
