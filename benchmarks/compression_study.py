"""What studies of network compression share: parts of data, a training, networks found again."""

import argparse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt

from slimderm.components.common.cache import content_key
from slimderm.components.keras_support.statistics import recompute_statistics
from slimderm.components.network_compression.recipe import Step, compress

RATE, BATCH = 1e-3, 128
CALIBRATION = 2_000  # training images that passes look at
STATISTICS = 1_024  # training images over which batch normalization's statistics are recomputed

Row = dict[str, Any]


class Part(NamedTuple):
    """Images in 0..1, of shape (N, H, W, 1), and their labels."""

    images: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]


class Trainer:
    """Trains by Adam with a rate that falls along a cosine, from scratch or on.

    What is judged is the network: batch normalization's statistics are recomputed afterwards.

    Parameters
    ----------
    train : Part
    weights : mapping, optional
        What an image of each class weighs.
    shift : int
        Pixels by which each image is moved at most, anew in each epoch, in both directions.
    """

    def __init__(
        self, train: Part, weights: Mapping[int, float] | None = None, shift: int = 0
    ) -> None:
        self.train, self.weights, self.shift = train, weights, shift

    def __call__(self, model: keras.Model, epochs: int) -> None:
        """Train in place."""
        steps = epochs * -(-len(self.train.images) // BATCH)
        schedule = keras.optimizers.schedules.CosineDecay(RATE, steps)
        model.compile(keras.optimizers.Adam(schedule), "sparse_categorical_crossentropy")
        random = np.random.default_rng(0)
        for _ in range(epochs):
            model.fit(
                moved(self.train.images, self.shift, random),
                self.train.labels,
                batch_size=BATCH,
                class_weight=self.weights,
                verbose=0,
            )
        some = np.random.default_rng(0).permutation(len(self.train.images))[:STATISTICS]
        recompute_statistics(
            model, (self.train.images[some[at : at + BATCH]] for at in range(0, len(some), BATCH))
        )


def moved(
    images: npt.NDArray[np.float32], shift: int, random: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Return each image moved by up to so many pixels, zeros behind it; all as they are for 0."""
    if not shift:
        return images
    _, height, width, _ = images.shape
    padded = np.pad(images, ((0, 0), (shift, shift), (shift, shift), (0, 0)))
    down, right = random.integers(0, 2 * shift + 1, (2, len(images)))
    found = np.empty_like(images)
    for each in range((2 * shift + 1) ** 2):
        top, left = divmod(each, 2 * shift + 1)
        here = (down == top) & (right == left)
        found[here] = padded[here, top : top + height, left : left + width]
    return found


class Study:
    """One seed's networks, each found again where it is finished."""

    def __init__(
        self, options: argparse.Namespace, seed: int, trainer: Trainer, test: Part
    ) -> None:
        self.epochs, self.cache, self.seed = options.epochs, options.cache, seed
        self.quick = options.images is not None
        self.trainer, self.train, self.test = trainer, trainer.train, test

    def trained(self, build: Callable[[], keras.Model], more: int = 0) -> keras.Model:
        """Build a network by the seed and train it, then train it on: the control."""
        key = content_key(
            network=build.__name__,
            seed=self.seed,
            epochs=self.epochs,
            shape=self.train.images.shape,
            rate=RATE,
            more=more,
            shift=self.trainer.shift,
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
            data=[(self.train.images[few], self.train.labels[few])],
            train=self.trainer,
            seed=self.seed,
            cache=self.cache,
            trained_by={
                "rate": RATE,
                "batch": BATCH,
                "shape": self.train.images.shape,
                "shift": self.trainer.shift,
            },
        )


def arguments(description: str, epochs: int, cache: str) -> argparse.ArgumentParser:
    """Return a parser of what all studies take."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--images", type=int, help="of each part, for a quick look")
    parser.add_argument("--cache", type=Path, default=Path(".cache/benchmarks") / cache)
    return parser
