"""Chest X-rays: what each pass leaves of a network that tells pneumonia, judged by patient.

::

    python benchmarks/xrays.py DATA [--seeds 3] [--epochs 12] [--size 64] [--weights FILE]

DATA is a folder with the images and ``images.csv``: file, fold (train, val or test), label (NORMAL
or PNEUMONIA) and patient. Images are shrunk to ``--size`` pixels. Three networks are trained from
scratch: ``vgg``, VGG16 with an eighth of its channels, batch normalization and one hidden layer;
``separable``, a small depthwise-separable one; ``mobilenet``, MobileNet with a quarter of its
channels, and once more from ``--weights`` where they are given.
Each pass starts from ``vgg`` and trains for PASS_EPOCHS; so does its control. Classes
weigh the same in training. The threshold is that of the best balanced accuracy on val; val and test
are never trained on. Intervals (95 %) resample patients and seeds.

A table comes first. The last line is one JSON object.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
from keras import layers

from benchmarks.compression_study import Part, Row, Study, Trainer, arguments
from slimderm.components.evaluation.metrics import decision_metrics, weighted_metrics
from slimderm.components.network_compression.binarise import Binarise
from slimderm.components.network_compression.distil import Distil
from slimderm.components.network_compression.ledger import ledger
from slimderm.components.network_compression.low_rank import LowRank
from slimderm.components.network_compression.prune import Prune
from slimderm.components.network_compression.quantise import Quantise
from slimderm.components.network_compression.ranks import Ranks
from slimderm.components.network_compression.recipe import Step
from slimderm.components.network_compression.separable import Separable
from slimderm.components.network_compression.share import ShareWeights
from slimderm.components.network_compression.sparsify import Sparsify
from slimderm.components.network_compression.train import Train
from slimderm.components.network_compression.tucker import Tucker
from slimderm.components.network_compression.xnor import XNOR

Floats = npt.NDArray[np.float64]
CLASSES = ("NORMAL", "PNEUMONIA")
PASS_EPOCHS, SAMPLES = 6, 1000
LOSS = "sparse_categorical_crossentropy"
SIZES = ("parameters", "slim_bytes", "zstd_symbols_bytes")
METRICS = ("auroc", "balanced_accuracy", "sensitivity", "specificity")


def read(folder: Path, size: int) -> tuple[pd.DataFrame, npt.NDArray[np.float32]]:
    """Return the table and all images, (N, size, size, 1) in 0..1."""
    table = pd.read_csv(folder / "images.csv")
    images = np.empty((len(table), size, size, 1), np.float32)
    for index, name in enumerate(table["file"]):
        image = cv2.imread(str(folder / name), cv2.IMREAD_GRAYSCALE)
        if image is None:
            raise SystemExit(f"xrays: received {folder / name}, expected an image that can be read")
        shrunk = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
        images[index, :, :, 0] = shrunk / 255
    return table, images


class Networks:
    """The three networks, for images of one size."""

    def __init__(self, size: int, weights: Path | None = None) -> None:
        self.shape, self.weights = (size, size, 1), weights

    def vgg(self) -> keras.Model:
        """Build VGG16's thirteen convolutions with an eighth of their channels."""
        stack = []
        for block, (number, width) in enumerate(((2, 8), (2, 16), (3, 32), (3, 64), (3, 64))):
            for each in range(number):
                name = f"convolution{block + 1}_{each + 1}"
                stack.append(layers.Conv2D(width, 3, padding="same", use_bias=False, name=name))
                stack += [layers.BatchNormalization(momentum=0.9), layers.ReLU()]
            stack.append(layers.MaxPooling2D())
        stack += [layers.Flatten(), layers.Dense(64, "relu", name="hidden"), self._last()]
        return keras.Sequential([keras.Input(self.shape), *stack])

    def separable(self) -> keras.Model:
        """Build four depthwise-separable convolutions and a mean over space."""
        stack = []
        for width in (16, 32, 64, 128):
            stack.append(layers.SeparableConv2D(width, 3, padding="same", use_bias=False))
            stack += [layers.BatchNormalization(momentum=0.9), layers.ReLU()]
            stack.append(layers.MaxPooling2D())
        return keras.Sequential(
            [keras.Input(self.shape), *stack, layers.GlobalAveragePooling2D(), self._last()]
        )

    def mobilenet(self) -> keras.Model:
        """Build MobileNet with a quarter of its channels."""
        return keras.applications.MobileNet(
            input_shape=self.shape, alpha=0.25, weights=None, classes=2
        )

    def mobilenet_from_a_file(self) -> keras.Model:
        """Build the same, on weights without a top that were trained on images of three colours."""
        base = keras.applications.MobileNet(
            input_shape=(*self.shape[:2], 3),
            alpha=0.25,
            include_top=False,
            weights=str(self.weights),
            pooling="avg",
        )
        image = keras.Input(self.shape)
        colours = layers.Rescaling(2.0, -1.0)(layers.Concatenate()([image] * 3))
        return keras.Model(image, self._last()(base(colours)))

    @staticmethod
    def _last() -> layers.Layer:
        return layers.Dense(2, "softmax", name="last")


def compressed(study: Study, networks: Networks) -> Iterator[tuple[str, keras.Model]]:
    """Yield every network by what was done to it."""
    vgg = study.trained(networks.vgg)
    yield "vgg", vgg
    if study.quick:  # a look at one of each kind
        [made] = study.compressed(vgg, Step(Quantise(4)))
        yield "grid of 4 bits", made.model
        return
    builds = [networks.separable, networks.mobilenet]
    if networks.weights is not None:
        builds.append(networks.mobilenet_from_a_file)
    for build in builds:
        yield build.__name__.replace("_", " "), study.trained(build)
    half = Prune(ratio=0.5, loss=LOSS)
    epochs = PASS_EPOCHS
    recipes = {
        "control": [Step(Train(), epochs)],
        "prune": [Step(half, epochs)],
        "prune, then distil": [Step(half), Step(Distil(vgg, 0.5), epochs)],
        "low rank": [Step(LowRank(Ranks(energy=0.9)), epochs)],
        "low rank, convolutions": [Step(LowRank(Ranks(energy=0.9), "channel"), epochs)],
        "tucker": [Step(Tucker(Ranks(energy=0.9)), epochs)],
        "separable kernels": [Step(Separable(), epochs)],
        "grid of 4 bits": [Step(Quantise(4), epochs)],
        "binary weights": [Step(Binarise(), epochs)],
        "XNOR": [Step(XNOR(), epochs)],
        "deep compression": [Step(Sparsify(0.9, 3), epochs // 3), Step(ShareWeights(4), 2)],
        "prune, deep compression": [
            Step(half, epochs),
            Step(Sparsify(0.8, 3), epochs // 3),
            Step(ShareWeights(4), 2),
        ],
    }
    for what, steps in recipes.items():
        *_, made = study.compressed(vgg, *steps)
        yield what, made.model
    small = study.trained(networks.separable)
    for what, step in (("control", Train()), ("distilled from vgg", Distil(vgg, 0.5))):
        [made] = study.compressed(small, Step(step, epochs))
        yield f"separable, {what}", made.model


class Judge:
    """Judges by val's threshold on test, with intervals by patient."""

    def __init__(self, table: pd.DataFrame, images: npt.NDArray[np.float32], seed: int = 0) -> None:
        self.val, self.test = (images[table["fold"] == fold] for fold in ("val", "test"))
        self.val_labels, self.labels = (
            (table.loc[table["fold"] == fold, "label"] == CLASSES[1]).to_numpy(np.int64)
            for fold in ("val", "test")
        )
        names, patient = np.unique(
            table.loc[table["fold"] == "test", "patient"], return_inverse=True
        )
        random = np.random.default_rng(seed)
        counts = random.multinomial(len(names), np.full(len(names), 1 / len(names)), SAMPLES)
        # The first row is the test part as it is.
        self.weights = np.vstack([np.ones(len(patient)), counts[:, patient]]).astype(np.float64)

    def samples(self, model: keras.Model) -> dict[str, Floats]:
        """Return each metric for the test part and for each sample of patients, (1 + SAMPLES,)."""
        on_val, said = (
            model.predict(part, batch_size=256, verbose=0)[:, 1].astype(np.float64)
            for part in (self.val, self.test)
        )
        return self.metrics(said, best_threshold(self.val_labels, on_val))

    def metrics(self, said: Floats, threshold: float) -> dict[str, Floats]:
        """Return the same of probabilities of pneumonia, (N,), above a threshold."""
        ranked = weighted_metrics(self.weights, self.labels, np.stack([1 - said, said], 1), None)
        decided = np.eye(2)[(said > threshold).astype(int)]
        sides = [decision_metrics(self.weights, self.labels, decided, side) for side in (1, 0)]
        return {
            "auroc": ranked["auroc"],
            "balanced_accuracy": sides[0]["balanced_accuracy"],
            "sensitivity": sides[0]["melanoma_sensitivity"],
            "specificity": sides[1]["melanoma_sensitivity"],
            "accuracy": sides[0]["accuracy"],
        }


def best_threshold(labels: npt.NDArray[np.int64], said: Floats) -> float:
    """Return the probability above which balanced accuracy is highest, half-way between images."""
    values = np.unique(said)
    between = np.concatenate([[0.5], (values[1:] + values[:-1]) / 2])
    positive = said[None, :] > between[:, None]  # (thresholds, images)
    worth = positive[:, labels == 1].mean(axis=1) + (~positive[:, labels == 0]).mean(axis=1)
    return float(between[worth.argmax()])


def summary(runs: list[dict[str, Floats]], random: np.random.Generator) -> dict[str, list[float]]:
    """Return the mean over seeds of each metric with its interval, seeds drawn with patients."""
    found = {}
    for name in runs[0]:
        values = np.stack([run[name] for run in runs])  # (seeds, 1 + SAMPLES)
        drawn = random.integers(0, len(runs), (len(runs), SAMPLES))
        samples = np.take_along_axis(values[:, 1:], drawn, axis=0).mean(axis=0)
        low, high = np.nanquantile(samples, (0.025, 0.975))
        found[name] = [float(values[:, 0].mean()), float(low), float(high)]
    return found


def main() -> None:
    """Print a row for each network, means over seeds, then one line of JSON."""
    parser = arguments(__doc__.partition("\n")[0], epochs=12, cache="xrays")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--weights", type=Path, help="of MobileNet, a quarter wide, without top")
    options = parser.parse_args()
    table, images = read(options.data, options.size)
    if options.images:
        few = table.groupby(["fold", "label"], group_keys=False).head(options.images // 2).index
        table, images = table.loc[few].reset_index(drop=True), images[few]
    trained = (table["fold"] == "train").to_numpy()
    labels = (table.loc[trained, "label"] == CLASSES[1]).to_numpy(np.uint8)
    train, judge = Part(images[trained], labels), Judge(table, images)
    weights = {side: len(labels) / (2 * int((labels == side).sum())) for side in (0, 1)}
    sizes: dict[str, Row] = {}
    runs: dict[str, list[dict[str, Floats]]] = {
        "PNEUMONIA, always": [judge.metrics(np.ones(len(judge.labels)), 0.5)]
    }
    networks = Networks(options.size, options.weights)
    for seed in range(options.seeds):
        study = Study(options, seed, Trainer(train, weights), Part(judge.test, judge.labels))
        for what, model in compressed(study, networks):
            for name, value in ledger(model).items():
                sizes.setdefault(what, {}).setdefault(name, []).append(value)
            runs.setdefault(what, []).append(judge.samples(model))
            now = {name: float(values[0]) for name, values in runs[what][-1].items()}
            print(f"seed {seed}: {what}: {now}", file=sys.stderr, flush=True)
    _show(sizes, {what: summary(each, np.random.default_rng(0)) for what, each in runs.items()})


def _show(sizes: dict[str, Row], rows: dict[str, Any]) -> None:
    heads = "".join(f"{name:>20}" for name in SIZES) + "".join(f"{name:>24}" for name in METRICS)
    print(f"{'':26}{heads}")
    for what, row in rows.items():
        row |= {name: float(np.mean(value)) for name, value in sizes.get(what, {}).items()}
        cells = "".join("{:9.3f} ({:.3f} to {:.3f})".format(*row[name]) for name in METRICS)
        counts = "".join(f"{row.get(name, 0):20,.0f}" for name in SIZES)
        print(f"{what:26}{counts}{cells}")
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
