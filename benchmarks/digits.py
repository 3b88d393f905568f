"""MNIST's digits, the networks that are compressed on them, and how these are judged."""

import gzip
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from benchmarks.compression_study import Part, Row, Study
from slimderm.components.network_compression.ledger import ledger


def read(folder: Path, part: str) -> Part:
    """Read one part of MNIST, ``train`` or ``t10k``."""
    pixels = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())
    digits = gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    images = np.frombuffer(pixels, np.uint8, offset=16).reshape(-1, 28, 28, 1)
    return Part(images.astype(np.float32) / 255, np.frombuffer(digits, np.uint8, offset=8))


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


def error(model: keras.Model, test: Part) -> float:
    """Return the share of test images that are taken for another digit, in per cent."""
    return wrong(model.predict(test.images, batch_size=1000, verbose=0), test)


def wrong(said: npt.NDArray[np.float32], test: Part) -> float:
    """Return the share of probabilities, (N, 10), whose largest is another digit's, in per cent."""
    return float(100 * np.mean(said.argmax(axis=1) != test.labels))


def in_bytes(study: Study, what: str, model: keras.Model, whole: int) -> Row:
    """Measure a network as a `.slim` file against float32 weights of `whole` bytes.

    ``zstd``, the control arm: the numbers of each weight's values at zstd's highest level.
    """
    counted = ledger(model)
    size = int(counted["slim_bytes"] or 0)
    wrongly = error(model, study.test)
    zstd = counted["zstd_symbols_bytes"]
    return {"what": what, "bytes": size, "zstd": zstd, "times": whole / size, "error": wrongly}


def as_floats(study: Study, what: str, model: keras.Model) -> Row:
    """Measure a network as float32 weights alone."""
    size, wrongly = 4 * model.count_params(), error(model, study.test)
    zstd = ledger(model)["zstd_float32_bytes"]
    return {"what": what, "bytes": size, "zstd": zstd, "times": 1.0, "error": wrongly}
