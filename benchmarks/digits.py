"""MNIST's digits, the networks that are compressed on them, how these are trained and judged."""

import argparse
import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from slimderm.components.common.cache import content_key
from slimderm.components.network_compression.recipe import Step, compress
from slimderm.components.network_compression.slim_file import pack

RATE, BATCH = 1e-3, 128
CALIBRATION = 2_000  # training images that data-aware ranks look at

Row = dict[str, Any]


class Digits(NamedTuple):
    """Images in 0..1, of shape (N, 28, 28, 1), and their digits."""

    images: npt.NDArray[np.float32]
    digits: npt.NDArray[np.uint8]


def read(folder: Path, part: str) -> Digits:
    """Read one part of MNIST, ``train`` or ``t10k``."""
    pixels = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())
    digits = gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    images = np.frombuffer(pixels, np.uint8, offset=16).reshape(-1, 28, 28, 1)
    return Digits(images.astype(np.float32) / 255, np.frombuffer(digits, np.uint8, offset=8))


def _mlp(number: int, width: int) -> keras.Model:
    hidden = [layers.Dense(width, "relu", name=f"hidden{each}") for each in range(1, number + 1)]
    last = layers.Dense(10, "softmax", name="last")
    return keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), *hidden, last])


def mlp() -> keras.Model:
    """Build 784-5×1024-10."""
    return _mlp(5, 1024)


def mlp512() -> keras.Model:
    """Build 784-3×512-10."""
    return _mlp(3, 512)


def lenet300() -> keras.Model:
    """Build LeNet-300-100."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Flatten(),
            layers.Dense(300, "relu", name="dense1"),
            layers.Dense(100, "relu", name="dense2"),
            layers.Dense(10, "softmax", name="dense3"),
        ]
    )


def lenet5() -> keras.Model:
    """Build Caffe's LeNet-5, as Deep Compression has it."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(20, 5, name="convolution1"),
            layers.MaxPooling2D(),
            layers.Conv2D(50, 5, name="convolution2"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(500, "relu", name="dense1"),
            layers.Dense(10, "softmax", name="dense2"),
        ]
    )


class Trainer:
    """Trains by Adam with a rate that falls along a cosine, from scratch or on."""

    def __init__(self, train: Digits, rate: float = RATE) -> None:
        self.train, self.rate = train, rate

    def __call__(self, model: keras.Model, epochs: int) -> None:
        """Train in place."""
        steps = epochs * -(-len(self.train.images) // BATCH)
        schedule = keras.optimizers.schedules.CosineDecay(self.rate, steps)
        model.compile(keras.optimizers.Adam(schedule), "sparse_categorical_crossentropy")
        model.fit(self.train.images, self.train.digits, batch_size=BATCH, epochs=epochs, verbose=0)


def error(model: keras.Model, test: Digits) -> float:
    """Return the share of test images that are taken for another digit, in per cent."""
    return wrong(model.predict(test.images, batch_size=1000, verbose=0), test)


def wrong(said: npt.NDArray[np.float32], test: Digits) -> float:
    """Return the share of probabilities, (N, 10), whose largest is another digit's, in per cent."""
    return float(100 * np.mean(said.argmax(axis=1) != test.digits))


class Study:
    """One seed's networks, each found again where it is finished."""

    def __init__(self, options: argparse.Namespace, seed: int) -> None:
        self.train, self.test = read(options.data, "train"), read(options.data, "t10k")
        if options.images:
            self.train, self.test = (
                Digits(*(values[: options.images] for values in part))
                for part in (self.train, self.test)
            )
        self.epochs, self.cache, self.seed = options.epochs, options.cache, seed
        self.quick = options.images is not None
        self.trainer = Trainer(self.train)

    def trained(self, build: Callable[[], keras.Model], more: int = 0) -> keras.Model:
        """Build a network by the seed and train it, then train it on: the control."""
        key = content_key(
            network=build.__name__,
            seed=self.seed,
            epochs=self.epochs,
            images=len(self.train.images),
            rate=RATE,
            **({"more": more} if more else {}),
        )
        path = self.cache / f"{key}.keras"
        if not path.exists():
            model = self.trained(build) if more else None
            keras.utils.set_random_seed(self.seed)
            model = model or build()
            self.trainer(model, more or self.epochs)
            self.cache.mkdir(parents=True, exist_ok=True)
            model.save(path, include_optimizer=False)
        return keras.models.load_model(path, compile=False)

    def compressed(self, model: keras.Model, *steps: Step) -> Iterator[Any]:
        """Apply a recipe; batches are training images."""
        few = slice(CALIBRATION)
        return compress(
            model,
            steps,
            data=[(self.train.images[few], self.train.digits[few])],
            train=self.trainer,
            seed=self.seed,
            cache=self.cache,
            trained_by={"rate": RATE, "batch": BATCH, "images": len(self.train.images)},
        )


def in_bytes(study: Study, what: str, model: keras.Model, whole: int) -> Row:
    """Measure a network as a `.slim` file against float32 weights of `whole` bytes."""
    size = len(pack(model))
    return {"what": what, "bytes": size, "times": whole / size, "error": error(model, study.test)}


def as_floats(study: Study, what: str, model: keras.Model) -> Row:
    """Measure a network as float32 weights alone."""
    size = 4 * model.count_params()
    return {"what": what, "bytes": size, "times": 1.0, "error": error(model, study.test)}
