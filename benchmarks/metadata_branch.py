"""Whether the branch for age, sex and site is alive, in fresh networks and in trained ones.

::

    python benchmarks/metadata_branch.py DATA [--network lenet5] [--seeds 100] [--epochs 5]

DATA is a dataset as `make run` takes it, without negatives. It is split by lesion, 60/20/20. As
many training images of each class are taken, --images in all. A network of each seed is built and
trained as the product does it. Its branch ends in one unit. The spread is that unit's standard
deviation over validation's people; the branch is dead where it is 0: the same for everybody.

A table comes first. The last line is one JSON object: ``seeds``, ``dead_fresh`` and
``dead_trained`` (networks), ``spread_fresh`` and ``spread_trained`` (the smallest), and
``spread_trained_median``.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras
import numpy as np

from benchmarks.best_epoch import CLASSES, read
from slimderm.components.keras_support.statistics import recompute_statistics
from slimderm.components.training.batches import Examples
from slimderm.components.training.build import build
from slimderm.components.training.fit import fit
from slimderm.components.training.settings import TrainingSettings


def branch(model: keras.Model) -> keras.Model:
    """Return the part of a network that sees metadata, up to its one last unit."""
    (last,) = (
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.ReLU) and layer.output.shape == (None, 1)
    )
    metadata = next(given for given in model.inputs if given.name == "metadata")
    return keras.Model(metadata, last.output)


def spreads(name: str, parts: dict[str, Examples], seed: int, epochs: int) -> tuple[float, float]:
    """Measure the last unit's spread over people before and after training."""
    train, validation = parts["train"], parts["validation"]
    model = build(name, num_classes=len(CLASSES), input_shape=train.images.shape[1:], seed=seed)
    seen = branch(model)
    recompute_statistics(seen, [train.metadata])
    fresh = float(np.std(seen(validation.metadata)))
    fit(model, train, validation, TrainingSettings(epochs=epochs, seed=seed))
    return fresh, float(np.std(seen(validation.metadata)))


def main() -> None:
    """Print how many networks of the seeds are dead, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--network", default="lenet5")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--images", type=int, default=900)
    parser.add_argument("--size", type=int, nargs=2, default=(32, 24), metavar=("H", "W"))
    options = parser.parse_args()
    height, width = options.size
    parts = read(options.data, (height, width), options.images)
    found = []
    for seed in range(options.seeds):
        found.append(spreads(options.network, parts, seed, options.epochs))
        keras.backend.clear_session()
    fresh, trained = np.array(found).T
    print(f"{'':10}{'dead':>6}{'smallest spread':>18}{'median spread':>16}")
    for word, values in (("fresh", fresh), ("trained", trained)):
        print(f"{word:10}{(values == 0).sum():6d}{values.min():18.3f}{np.median(values):16.3f}")
    print(
        json.dumps(
            {
                "seeds": options.seeds,
                "dead_fresh": int((fresh == 0).sum()),
                "dead_trained": int((trained == 0).sum()),
                "spread_fresh": round(float(fresh.min()), 4),
                "spread_trained": round(float(trained.min()), 4),
                "spread_trained_median": round(float(np.median(trained)), 4),
            }
        )
    )


if __name__ == "__main__":
    main()
