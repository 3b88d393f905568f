"""Which epoch's network to keep, and by which statistics to judge it, measured over seeds.

::

    python benchmarks/best_epoch.py DATA [--network lenet5] [--seeds 5] [--epochs 20]

DATA is a dataset as `make run` takes it, without negatives. It is split by lesion, 60/20/20. The
test part stays unseen. As many training images of each class are taken, --images in all. Each seed
is trained with a constant learning rate and with one that falls to zero (cosine). Each rule chooses
an epoch on half of validation's lesions and is measured on the other half, both ways round.

A table comes first: balanced accuracy of the network that each rule keeps, its mean over seeds and
its spread (standard deviation) between seeds. The last line is one JSON object: ``gap``, how much
higher epochs are judged by recomputed statistics than by moving ones, and ``rules``, rule to mean
and spread.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras
import numpy as np
import pandas as pd

from slimderm.components.dataset.catalog import ingest
from slimderm.components.dataset.images import load_images
from slimderm.components.dataset.settings import SplitSettings
from slimderm.components.dataset.splits import split
from slimderm.components.evaluation.metrics import classification_metrics
from slimderm.components.keras_support.normalization import fused_batch_normalization
from slimderm.components.keras_support.statistics import recompute_statistics
from slimderm.components.training.batches import BalancedBatches, Examples
from slimderm.components.training.build import build
from slimderm.components.training.metadata import MetadataEncoder
from slimderm.components.training.precision import choose_precision
from slimderm.components.training.prediction import predict

CLASSES = {"melanoma": ["mel"], "nevus": ["nv"], "other": ["akiec", "bcc", "bkl", "df", "vasc"]}
AVERAGED = (0.98, 0.995)  # momenta of the moving average of weights, a step
NUM_IMAGES = 512
RATE = 0.002


def read(folder: Path, size: tuple[int, int], images: int) -> dict[str, Examples]:
    """Split a dataset by lesion and read training and validation at one size."""
    catalog = ingest(folder, classes=CLASSES).images
    parts = split(catalog, SplitSettings(train=60, validation=20, test=20)).frame
    frame = catalog.merge(parts[["image_id", "part"]], on="image_id")
    encoder = MetadataEncoder.fit(frame[frame["part"] == "train"])
    found = {}
    for part in ("train", "validation"):
        rows = frame[frame["part"] == part]
        if part == "train":
            share = images // len(CLASSES)
            rows = rows.groupby("label").sample(share, random_state=0).sort_values("image_id")
        found[part] = Examples(
            images=load_images(folder, rows["file"].tolist(), size=size),
            metadata=encoder.transform(rows),
            labels=np.array([list(CLASSES).index(name) for name in rows["label"]]),
            lesions=rows["lesion_id"].to_numpy(dtype=str),
        )
    return found


class Watch(keras.callbacks.Callback):
    """Keeps validation's probabilities of every epoch: as trained, recomputed, of mean weights."""

    def __init__(self, parts: dict[str, Examples], seed: int, epochs: int) -> None:
        super().__init__()
        self.parts, self.epochs, self.tail = parts, epochs, epochs - max(1, epochs // 4)
        ordered = BalancedBatches(
            parts["train"], num_classes=len(CLASSES), batch_size=64, seed=seed, augmented=False
        )
        self.batches = [ordered[i][0] for i in range(min(len(ordered), NUM_IMAGES // 64))]
        self.found: dict[str, list[np.ndarray]] = defaultdict(list)
        self.means: dict[float, list[np.ndarray]] = {}
        self.sum: list[np.ndarray] | None = None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Move the averages of the weights."""
        weights = self.model.get_weights()
        for momentum in AVERAGED:
            mean = self.means.setdefault(momentum, weights)
            self.means[momentum] = [
                momentum * a + (1 - momentum) * b for a, b in zip(mean, weights, strict=True)
            ]

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Judge what each way would keep."""
        self.found["moving"].append(predict(self.model, self.parts["validation"], batch_size=64))
        weights = self.model.get_weights()
        self.found["recomputed"].append(self.judge(weights))
        for momentum, mean in self.means.items():
            self.found[f"average {momentum}"].append(self.judge(mean))
        if epoch >= self.tail:
            before = self.sum or [np.zeros_like(each) for each in weights]
            self.sum = [a + b for a, b in zip(before, weights, strict=True)]
        if epoch == self.epochs - 1:
            mean = [each / (self.epochs - self.tail) for each in self.sum or weights]
            self.found["last quarter"].append(self.judge(mean))
        self.model.set_weights(weights)

    def judge(self, weights: list[np.ndarray]) -> np.ndarray:
        """Return validation's probabilities by given weights with recomputed statistics."""
        self.model.set_weights(weights)
        recompute_statistics(self.model, self.batches)
        return predict(self.model, self.parts["validation"], batch_size=64)


def train(name: str, parts: dict[str, Examples], seed: int, epochs: int, cosine: bool) -> Any:
    """Train a network; return each way's probabilities, (epochs, N, C)."""
    model = build(
        name,
        num_classes=len(CLASSES),
        input_shape=parts["train"].images.shape[1:],
        precision=choose_precision("auto"),
        seed=seed,
    )
    batches = BalancedBatches(
        parts["train"], num_classes=len(CLASSES), batch_size=32, seed=seed, augmented=True
    )
    rate = keras.optimizers.schedules.CosineDecay(RATE, epochs * len(batches)) if cosine else RATE
    watch = Watch(parts, seed, epochs)
    model.compile(keras.optimizers.Adam(rate), "categorical_crossentropy")
    with fused_batch_normalization(model):
        model.fit(batches, epochs=epochs, shuffle=False, verbose=0, callbacks=[watch])
    return {key: np.stack(values) for key, values in watch.found.items()}


@dataclass
class Judged:
    """Balanced accuracy and loss of every epoch on both halves of validation, (2, epochs)."""

    accuracy: np.ndarray
    loss: np.ndarray


def judged(probabilities: np.ndarray, labels: np.ndarray, halves: list[np.ndarray]) -> Judged:
    """Judge every epoch on each half."""
    accuracy, loss = [], []
    for half in halves:
        rows = [each[half] for each in probabilities]
        own = labels[half]
        accuracy.append([classification_metrics(own, row)["balanced_accuracy"] for row in rows])
        chosen = [np.maximum(row[np.arange(len(own)), own], 1e-7) for row in rows]
        loss.append([float(-np.log(each).mean()) for each in chosen])
    return Judged(np.array(accuracy), np.array(loss))


def smoothed(values: np.ndarray) -> np.ndarray:
    """Mean of each epoch and up to two on either side."""
    return np.array([values[max(0, i - 2) : i + 3].mean() for i in range(len(values))])


@dataclass(frozen=True)
class Rule:
    """Which way's networks a rule looks at, and which epoch's it keeps."""

    way: str
    choose: Callable[[np.ndarray, np.ndarray], int] = field(default=lambda accuracy, loss: -1)


def _highest(accuracy: np.ndarray, loss: np.ndarray) -> int:
    return int(accuracy.argmax())


def _lowest_loss(accuracy: np.ndarray, loss: np.ndarray) -> int:
    return int(loss.argmin())


def _smoothed(accuracy: np.ndarray, loss: np.ndarray) -> int:
    return int(smoothed(accuracy).argmax())


def _smoothed_loss(accuracy: np.ndarray, loss: np.ndarray) -> int:
    return int(smoothed(loss).argmin())


RULES = {
    "highest, moving statistics": Rule("moving", _highest),
    "highest": Rule("recomputed", _highest),
    "highest of five epochs' mean": Rule("recomputed", _smoothed),
    "lowest loss": Rule("recomputed", _lowest_loss),
    "lowest of five epochs' mean loss": Rule("recomputed", _smoothed_loss),
    "last": Rule("recomputed"),
    **{f"average {m}, highest": Rule(f"average {m}", _highest) for m in AVERAGED},
    **{f"average {m}, lowest loss": Rule(f"average {m}", _lowest_loss) for m in AVERAGED},
    **{f"average {m}, last": Rule(f"average {m}") for m in AVERAGED},
    "mean of the last quarter": Rule("last quarter"),
}


def table(runs: dict[tuple[str, int], Any], validation: Examples) -> pd.DataFrame:
    """Measure every rule on the half that did not choose."""
    names = np.unique(validation.lesions)
    first = np.isin(validation.lesions, np.random.default_rng(0).permutation(names)[::2])
    halves = [np.flatnonzero(first), np.flatnonzero(~first)]
    rows = []
    for (rate, seed), found in runs.items():
        ways = {way: judged(each, validation.labels, halves) for way, each in found.items()}
        for name, rule in RULES.items():
            way = ways[rule.way]
            kept = [way.accuracy[1 - i][rule.choose(way.accuracy[i], way.loss[i])] for i in (0, 1)]
            rows.append({"rate": rate, "rule": name, "seed": seed, "value": float(np.mean(kept))})
    values = pd.DataFrame(rows).groupby(["rate", "rule"], sort=False)["value"]
    return values.agg(["mean", "std", "min"]).reset_index()


def main() -> None:
    """Train, measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--network", default="lenet5")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--images", type=int, default=1770, help="of the training part")
    parser.add_argument("--size", type=int, nargs=2, default=(100, 50), help="height, width")
    parser.add_argument("--keep", type=Path, help="folder where finished trainings are found again")
    options = parser.parse_args()
    parts = read(options.data, tuple(options.size), options.images)
    counts = {part: len(each) for part, each in parts.items()}
    runs = {}
    for seed in range(options.seeds):
        for rate in ("constant", "cosine"):
            name = f"{options.network}-{rate}-{seed}-{options.epochs}.npz"
            file = options.keep / name if options.keep else None
            if file is not None and file.exists():
                runs[rate, seed] = dict(np.load(file))
                continue
            found = train(options.network, parts, seed, options.epochs, rate == "cosine")
            runs[rate, seed] = found
            print(f"{options.network}, {rate} rate, seed {seed}: trained", flush=True)
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                np.savez(file, **found)
            keras.backend.clear_session()
    validation = parts["validation"]
    measured = table(runs, validation)
    print(f"\n{options.network}, {options.epochs} epochs, {options.seeds} seeds, images: {counts}")
    print(measured.round(4).to_string(index=False))
    everything = [np.arange(len(validation))]
    gaps = []
    for found in runs.values():
        moving, recomputed = (
            judged(found[way], validation.labels, everything).accuracy
            for way in ("moving", "recomputed")
        )
        gaps.append(float((recomputed - moving).mean()))
    rules = {
        f"{row['rate']}: {row['rule']}": {"mean": row["mean"], "spread": row["std"]}
        for row in measured.fillna(0.0).to_dict("records")
    }
    print(json.dumps({"gap": float(np.mean(gaps)), "rules": rules}))


if __name__ == "__main__":
    main()
