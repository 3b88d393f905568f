"""The network of ``benchmarks/pruning_accuracy.py``, and the batches that it is trained on.

Both sides read this file, so it needs NumPy alone. Weights travel as a dictionary of arrays, by
the names and in the layout that PyTorch gives them.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

STAGES, BLOCKS = (32, 64, 128), 2
LAST = "last"

Weights = dict[str, npt.NDArray[np.float32]]


class Convolution(NamedTuple):
    """One convolution of the unpruned network: its name, channels made and read, kernel, stride."""

    name: str
    made: int
    read: int
    size: int = 3
    stride: int = 1


STEM = Convolution("stem", STAGES[0], 3, stride=2)


def blocks() -> Iterator[tuple[Convolution, Convolution, Convolution | None]]:
    """Yield each residual block: two convolutions, and the one beside them where widths change."""
    read = STEM.made
    for stage, made in enumerate(STAGES):
        for block in range(BLOCKS):
            at, stride = f"stage{stage}_{block}", 2 if stage and not block else 1
            beside = Convolution(f"{at}_beside", made, read, 1, stride) if stride == 2 else None
            yield (
                Convolution(f"{at}_a", made, read, stride=stride),
                Convolution(f"{at}_b", made, made),
                beside,
            )
            read = made


def convolutions() -> Iterator[Convolution]:
    """Yield all convolutions."""
    yield STEM
    for block in blocks():
        yield from filter(None, block)


def whole(classes: int) -> dict[str, tuple[int, ...]]:
    """Return how many channels each layer of the unpruned network makes and reads."""
    found = {f"{each.name}.weight": (each.made, each.read) for each in convolutions()}
    return found | {f"{LAST}.weight": (classes, STAGES[-1])}


class Layers(NamedTuple):
    """What a framework computes by: `normalised` is a convolution with its normalisation."""

    normalised: Callable[[Convolution, Any], Any]
    relu: Callable[[Any], Any]
    add: Callable[[Any, Any], Any]
    halve: Callable[[Any], Any]
    classify: Callable[[Any], Any]


def connected(layers: Layers, image: Any) -> Any:
    """Compute logits: a residual network as He et al. 2016 have it, of two blocks a stage."""
    x = layers.halve(layers.relu(layers.normalised(STEM, image)))
    for first, second, beside in blocks():
        y = layers.normalised(second, layers.relu(layers.normalised(first, x)))
        x = layers.relu(layers.add(layers.normalised(beside, x) if beside else x, y))
    return layers.classify(x)


def scaled(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return images as the network reads them, in -1..1."""
    return images.astype(np.float32) / np.float32(127.5) - np.float32(1)


def balanced(
    labels: npt.NDArray[np.int64], number: int, random: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Draw rows for an epoch, as many of each class: scarce classes again and again."""
    classes = np.unique(labels)
    drawn = []
    for label in classes:
        rows = np.flatnonzero(labels == label)
        times = -(-number // (len(classes) * len(rows)))
        again = np.concatenate([random.permutation(rows) for _ in range(times)])
        drawn.append(again[: number // len(classes)])
    return random.permutation(np.concatenate(drawn))


def batches(
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    *,
    number: int,
    size: int,
    seed: tuple[int, ...],
) -> Iterator[tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]]:
    """Yield an epoch of balanced batches, flipped both ways by chance; all of it by the seed."""
    random = np.random.default_rng(seed)
    rows = balanced(labels, number, random)
    turned = random.integers(0, 2, (2, len(rows))).astype(bool)
    for start in range(0, len(rows) - size + 1, size):
        some = slice(start, start + size)
        batch = images[rows[some]]
        down, right = turned[:, some]
        batch[down] = batch[down, ::-1]
        batch[right] = batch[right, :, ::-1]
        yield scaled(batch), labels[rows[some]]
