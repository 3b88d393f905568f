"""Network compression on MNIST: networks of few numbers, and files of few bytes.

::

    python benchmarks/mnist.py DATA STUDY [--seeds 3] [--epochs 10]

DATA holds MNIST's four ``idx.gz`` files. All training images are trained on and all test images
judged; settings stand in this file. Finished trainings are found again in ``--cache``.

``low_rank``: 784-5×1024-10, its hidden layers of rank D by plain and by data-aware SVD, without
training, then D = 20 trained on for three epochs beside the control, the whole network trained on
as long. ``deep_lenet300`` and ``deep_lenet5``: Deep Compression, as `.slim` files. ``xnor``:
784-3×512-10 whose two inner layers have binary weights, then binary inputs, too, beside the control
trained on as long.
``miracle_lenet300`` and ``miracle_lenet5``: minimal random codes, as `.slim` files; hours.

A table comes first. The last line is one JSON object.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras
import numpy as np
from digits import (
    BATCH,
    RATE,
    Digits,
    Trainer,
    error,
    lenet5,
    lenet300,
    mlp,
    mlp512,
    read,
    wrong,
)

from slimderm.components.common.cache import content_key
from slimderm.components.network_compression.binarise import Binarise
from slimderm.components.network_compression.low_rank import LowRank
from slimderm.components.network_compression.miracle import Miracle
from slimderm.components.network_compression.packed import packed
from slimderm.components.network_compression.ranks import Ranks
from slimderm.components.network_compression.recipe import Step, compress
from slimderm.components.network_compression.share import ShareWeights
from slimderm.components.network_compression.slim_file import pack, unpack
from slimderm.components.network_compression.sparsify import Sparsify
from slimderm.components.network_compression.xnor import XNOR

CALIBRATION = 2_000  # training images that data-aware ranks look at
RANKS = (10, 20, 50, 100, 200)


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

    def trained(self, build: Callable[[], keras.Model]) -> keras.Model:
        """Build a network by the seed and train it."""
        key = content_key(
            network=build.__name__,
            seed=self.seed,
            epochs=self.epochs,
            images=len(self.train.images),
            rate=RATE,
        )
        path = self.cache / f"{key}.keras"
        if not path.exists():
            keras.utils.set_random_seed(self.seed)
            model = build()
            self.trainer(model, self.epochs)
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


Row = dict[str, Any]


def low_rank(study: Study) -> Iterator[Row]:
    """Sweep D with and without data, and train D = 20 on beside its control."""
    model = study.trained(mlp)
    base = {"parameters": model.count_params(), "error": error(model, study.test)}
    yield {"what": "full rank", **base}
    for aware in (False, True):
        for rank in RANKS:
            step = Step(LowRank(Ranks(rank=rank), data_aware=aware, layers=("hidden*",)))
            [made] = study.compressed(model, step)
            yield {
                "what": f"D = {rank}{', data-aware' if aware else ''}",
                "parameters": made.model.count_params(),
                "error": error(made.model, study.test),
            }
    step = Step(LowRank(Ranks(rank=20), data_aware=True, layers=("hidden*",)), epochs=3)
    [made] = study.compressed(model, step)
    yield {
        "what": "D = 20, data-aware, three more epochs",
        "parameters": made.model.count_params(),
        "error": error(made.model, study.test),
    }
    keras.utils.set_random_seed(study.seed)
    study.trainer(model, 3)
    yield {"what": "full rank, three more epochs", **base, "error": error(model, study.test)}


def deep(
    study: Study, build: Callable[[], keras.Model], zeros: Mapping[str, float]
) -> Iterator[Row]:
    """Compress by zeros, shared values and Huffman's code, for several numbers of bits."""
    model = study.trained(build)
    whole = 4 * model.count_params()
    yield {"what": "float32", "bytes": whole, "times": 1.0, "error": error(model, study.test)}
    sparse = Step(Sparsify(zeros, steps=4), epochs=ZERO_EPOCHS)
    for bits in (5, 4, 3, 2):
        *_, made = study.compressed(model, sparse, Step(ShareWeights(bits), epochs=SHARE_EPOCHS))
        size = len(pack(made.model))
        yield {
            "what": f"{bits} bits",
            "bytes": size,
            "times": whole / size,
            "error": error(made.model, study.test),
        }


def xnor(study: Study) -> Iterator[Row]:
    """Train binary weights, and XNOR-Net with and without the scale of inputs, on from floats."""
    model = study.trained(mlp512)
    whole = 4 * model.count_params()

    def row(what: str, size: int, found: float) -> Row:
        return {"what": what, "bytes": size, "times": whole / size, "error": found}

    yield row("float32", whole, error(model, study.test))
    for what, settings in (
        ("binary weights", Binarise(scale="filter")),
        ("XNOR", XNOR()),
        ("XNOR, with K", XNOR(input_scale=True)),
    ):
        [made] = study.compressed(model, Step(settings, epochs=BINARY_EPOCHS))
        size = len(pack(made.model))
        yield row(what, size, error(made.model, study.test))
        if isinstance(settings, XNOR):
            said = packed(made.model).predict(study.test.images, batch_size=1000)
            yield row(f"{what}, by counting bits", size, wrong(said, study.test))
    keras.utils.set_random_seed(study.seed)
    study.trainer(model, BINARY_EPOCHS)
    yield row(f"float32, {BINARY_EPOCHS} more epochs", whole, error(model, study.test))


def miracle(
    study: Study,
    build: Callable[[], keras.Model],
    hashing: Mapping[str, int],
    sizes: tuple[int, ...],
) -> Iterator[Row]:
    """Compress by minimal random codes of some numbers of bytes."""
    model = study.trained(build)
    whole = 4 * model.count_params()
    yield {"what": "float32", "bytes": whole, "times": 1.0, "error": error(model, study.test)}
    trainings, rounds = (1, 2) if study.quick else (TRAININGS, ROUNDS)
    for size in sizes:
        code = Miracle(size, 12, hashing, trainings, rounds, PACE)
        [made] = study.compressed(model, Step(code, epochs=CODE_EPOCHS))
        data = pack(made.model, made.code)
        yield {
            "what": f"codes of {size} bytes",
            "bytes": len(data),
            "times": whole / len(data),
            "error": error(unpack(data), study.test),
        }


ZERO_EPOCHS, SHARE_EPOCHS, BINARY_EPOCHS = 8, 5, 4
# 100 epochs before the first block is coded, 95 until the last one is.
TRAININGS, ROUNDS, CODE_EPOCHS, PACE = 20, 20, 5, 1.0005
# Shares of zeros as in the paper's tables 2 and 3.
STUDIES: dict[str, Callable[[Study], Iterator[Row]]] = {
    "low_rank": low_rank,
    "deep_lenet300": lambda study: deep(
        study, lenet300, {"dense1": 0.92, "dense2": 0.91, "dense3": 0.74}
    ),
    "deep_lenet5": lambda study: deep(
        study,
        lenet5,
        {"convolution1": 0.34, "convolution2": 0.88, "dense1": 0.92, "dense2": 0.81},
    ),
    "xnor": xnor,
    "miracle_lenet300": lambda study: miracle(
        study, lenet300, {"dense1": 20, "dense2": 5}, (1_250,)
    ),
    "miracle_lenet5": lambda study: miracle(  # hashed as by the paper's authors
        study, lenet5, {"convolution2": 2, "dense1": 50}, (2_700, 1_550)
    ),
}


def main() -> None:
    """Print a row for each compressed network, means over seeds, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--images", type=int, help="of each part, for a quick look")
    parser.add_argument("--cache", type=Path, default=Path(".cache/benchmarks/mnist"))
    options = parser.parse_args()
    found: dict[str, list[Row]] = {}
    for seed in range(options.seeds):
        for row in STUDIES[options.study](Study(options, seed)):
            found.setdefault(row.pop("what"), []).append(row)
            print(f"seed {seed}: {row}", file=sys.stderr, flush=True)
    means = {
        what: {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        for what, rows in found.items()
    }
    names = list(next(iter(means.values())))
    print(f"{'':40}" + "".join(f"{name:>14}" for name in names) + f"{'error, seeds':>20}")
    for what, row in means.items():
        spread = [each["error"] for each in found[what]]
        print(
            f"{what:40}"
            + "".join(f"{row[name]:14,.2f}" for name in names)
            + f"{min(spread):12.2f} to {max(spread):.2f}"
        )
    print(json.dumps({"study": options.study, "seeds": options.seeds, "rows": means}))


if __name__ == "__main__":
    main()
