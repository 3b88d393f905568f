"""Every pass of network compression without TensorFlow; `test_backends.py` runs it on each backend.

A new pass needs examples here.
"""

import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import layers

from slimderm.components.network_compression.binarise import Binarise
from slimderm.components.network_compression.cp import CP
from slimderm.components.network_compression.distil import Distil
from slimderm.components.network_compression.low_rank import LowRank
from slimderm.components.network_compression.miracle import Miracle
from slimderm.components.network_compression.prune import Prune
from slimderm.components.network_compression.quantise import Quantise
from slimderm.components.network_compression.ranks import Ranks
from slimderm.components.network_compression.recipe import Step, compress
from slimderm.components.network_compression.reparametrised import reparametrised
from slimderm.components.network_compression.separable import Separable
from slimderm.components.network_compression.share import ShareWeights
from slimderm.components.network_compression.slim_file import load, save
from slimderm.components.network_compression.sparsify import Sparsify
from slimderm.components.network_compression.table import PASSES
from slimderm.components.network_compression.train import Train
from slimderm.components.network_compression.truncate import Truncate, TruncatedKernel
from slimderm.components.network_compression.tucker import Tucker
from slimderm.components.network_compression.xnor import XNOR

IMAGES = np.random.default_rng(0).random((32, 12, 10, 4), np.float32)
BATCHES = [(IMAGES[start : start + 16], np.arange(16) % 3) for start in (0, 16)]


def network(seed):
    """Two convolutions, normalisation and two dense layers."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((12, 10, 4))
    x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu", name="first")(image)
    x = layers.BatchNormalization()(layers.Conv2D(24, 3, use_bias=False, name="second")(x))
    x = layers.Dense(32, activation="relu", name="hidden")(layers.Flatten()(x))
    return keras.Model(image, layers.Dense(3, activation="softmax", name="last")(x))


def of_rank_one():
    """The same, each kernel an outer product of vectors: all low ranks are enough for it."""
    model = network(1)
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            kernel = np.ones((), np.float32)
            for place, size in enumerate(layer.kernel.shape):
                vector = np.random.default_rng(place).uniform(0.1, 1, size).astype(np.float32)
                kernel = kernel[..., None] * vector
            layer.kernel.assign(kernel / kernel[..., 0].sum())
    return model


# By name in the table: passes that train, and passes that lose nothing of kernels of rank one.
EXAMPLES = {
    "train": ([Train()], []),
    "prune": ([Prune(ratio=0.5)], []),
    "low_rank": (
        [
            LowRank(Ranks(rank=2), faster_only=True),
            LowRank(Ranks(energy=0.5), "channel", data_aware=True),
        ],
        [LowRank(Ranks(rank=1), scheme) for scheme in ("dense", "channel", "spatial")],
    ),
    "truncate": (
        [Truncate(2)],
        [Truncate(1), Truncate(1, scheme="channel")],
    ),
    "tucker": ([Tucker(Ranks(energy=0.5))], [Tucker(Ranks(rank=(1, 1)))]),
    "cp": ([CP(rank=2)], [CP(rank=1)]),
    "separable": ([Separable()], [Separable()]),
    "distil": ([Distil(network(3), features={"hidden": "hidden"})], []),
    "sparsify": ([Sparsify(0.8, steps=1)], []),
    "share": ([ShareWeights(3)], []),
    "binarise": ([Binarise()], []),
    "quantise": ([Quantise({"last": 8, "*": 4}, activations=8)], []),
    "xnor": ([XNOR()], []),
    "miracle": ([Miracle(60, 8, rounds=2, pace=1.5)], []),
}


def fine_tune(model):
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    model.fit(IMAGES, np.arange(32) % 3, batch_size=16, verbose=0)


def outputs(model):
    return np.asarray(keras.ops.convert_to_numpy(model(IMAGES, training=False)))


def same(one, other):
    return all(
        first.tobytes() == second.tobytes()
        for first, second in zip(one.get_weights(), other.get_weights(), strict=True)
    )


def check_trained(setting, folder):
    """The result is finite, plain, saved bit for bit; the given model is as it was."""
    model = network(2)
    made = setting.apply(model, data=BATCHES, fine_tune=fine_tune, seed=1)
    assert same(model, network(2)), setting
    assert np.isfinite(outputs(made.model)).all(), setting
    assert made.report.changed or "faster" in str(made.report), setting
    for layer in made.model.layers:
        assert type(layer).__module__.startswith("keras."), layer
    save(made.model, folder / "small.slim", code=made.code)
    again = load(folder / "small.slim")
    assert same(made.model, again), setting
    assert (outputs(made.model) == outputs(again)).all(), setting


def check_lossless(setting):
    model = of_rank_one()
    made = setting.apply(model)
    assert made.report.changed, setting
    off = np.abs(outputs(made.model) - outputs(model)).max()
    assert off < 1e-5, (setting, off)


def check_gradients():
    """One step through a truncation, its gradient by finite differences in double precision."""
    random = np.random.default_rng(0)
    inputs, targets = random.standard_normal((20, 6)), random.standard_normal((20, 5))
    left, _, right = np.linalg.svd(random.standard_normal((6, 5)), full_matrices=False)
    whole = (left * [3, 2, 1, 0.5, 0.2]) @ right
    kernels = {
        "straight_through": whole,
        "exact": whole,
        "tangent": (left * [3, 2, 0, 0, 0]) @ right,
    }
    for gradient, double in kernels.items():
        kernel = double.astype(np.float32)
        model = keras.Sequential([keras.Input((6,)), layers.Dense(5, use_bias=False, name="only")])
        model.layers[0].kernel.assign(kernel)
        trained = reparametrised(model, {"only": TruncatedKernel(2, gradient)})
        trained.compile(keras.optimizers.SGD(0.1), "mse")
        trained.train_on_batch(inputs.astype(np.float32), targets.astype(np.float32))
        moved = (kernel - np.asarray(keras.ops.convert_to_numpy(trained.layers[0]._kernel))) / 0.1
        cut = truncated(kernel)

        def loss(change, gradient=gradient, kernel=kernel, cut=cut):
            straight = gradient == "straight_through"
            weights = cut + change if straight else truncated(kernel + change)
            return np.mean((inputs @ weights - targets) ** 2)

        expected = np.zeros((6, 5))
        for place in np.ndindex(6, 5):
            change = np.zeros((6, 5))
            change[place] = 1e-5
            expected[place] = (loss(change) - loss(-change)) / 2e-5
        np.testing.assert_allclose(moved, expected, rtol=2e-3, atol=2e-4)


def truncated(kernel):
    left, values, right = np.linalg.svd(kernel.astype(np.float64), full_matrices=False)
    return (left[:, :2] * values[:2]) @ right[:2]


def check_recipe(folder):
    """Started again, it finds what was finished."""
    calls = []

    def train(model, epochs):
        calls.append(epochs)
        fine_tune(model)

    steps = (Step(Prune(ratio=0.5)), Step(Sparsify(0.5, steps=1)), Step(ShareWeights(4), 1))
    model = network(2)
    for _ in range(2):
        *_, made = compress(model, steps, train=train, cache=folder / "cache")
    assert calls == [1]
    assert np.isfinite(outputs(made.model)).all()


def main(backend):
    assert keras.backend.backend() == backend
    assert list(EXAMPLES) == list(PASSES), "each pass needs an example here"
    with tempfile.TemporaryDirectory() as folder:
        for name, (training, lossless) in EXAMPLES.items():
            print(name, flush=True)
            for setting in training:
                check_trained(setting, Path(folder))
            for setting in lossless:
                check_lossless(setting)
        check_recipe(Path(folder))
    check_gradients()
    assert backend == "tensorflow" or "tensorflow" not in sys.modules
    print("all held")


if __name__ == "__main__":
    main(sys.argv[1])
