"""What training by TensorFlow's fused batch normalization saves over Keras's own.

::

    python benchmarks/training.py [--network densenet169] [--size 96] [--batch 32] [--steps 5]

Steps of DenseNet169, or of another network on images alone, on random images, in the arithmetic
that this machine would train in, both ways in turn on the same weights. About three minutes on two
cores. A table comes first. The last line is one JSON object: ``step_ratio`` and
``first_step_ratio``, seconds of the fused way over Keras's own.
"""

import argparse
import json
import statistics
import sys
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras
import numpy as np

from slimderm.components.keras_support.normalization import fused_batch_normalization
from slimderm.components.training.build import build
from slimderm.components.training.build_backbone import build_backbone
from slimderm.components.training.networks import BACKBONES, NETWORKS
from slimderm.components.training.precision import choose_precision

NUM_CLASSES = 7


def prepare(
    network: str, fused: bool, images: np.ndarray, labels: np.ndarray
) -> tuple[keras.Model, float]:
    """Return a compiled network that has taken its first step, and that step's seconds."""
    make = build_backbone if network in BACKBONES else partial(build, image_only=True)
    model = make(
        network,
        input_shape=images.shape[1:3],
        num_classes=NUM_CLASSES,
        precision=choose_precision("auto"),
    )
    model.compile(keras.optimizers.Adam(1e-3), "categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)
    started = time.perf_counter()
    with fused_batch_normalization(model) if fused else nullcontext():
        model.train_on_batch(images, labels)
    return model, time.perf_counter() - started


def main() -> None:
    """Measure both ways and print them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--network", default="densenet169", choices=[*BACKBONES, *NETWORKS])
    parser.add_argument("--size", type=int, default=96, help="pixels each way")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=5, help="timed, of each way")
    options = parser.parse_args()
    random = np.random.default_rng(0)
    shape = (options.batch, options.size, options.size, 3)
    images = random.integers(0, 256, shape).astype("float32")
    labels = np.eye(NUM_CLASSES, dtype="float32")[random.integers(0, NUM_CLASSES, options.batch)]
    ways = {"Keras's own": False, "fused": True}
    models, first = {}, {}
    for name, fused in ways.items():
        models[name], first[name] = prepare(options.network, fused, images, labels)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.steps):
        for name, model in models.items():
            started = time.perf_counter()
            model.train_on_batch(images, labels)
            seconds[name].append(time.perf_counter() - started)
    step = {name: statistics.median(values) for name, values in seconds.items()}
    policy = models["fused"].layers[-2].dtype_policy.name
    print(f"{options.network}, {shape}, {policy}")
    print(f"{'':12} {'first step, s':>14} {'a step, s':>10} {'ms an image':>12}")
    for name in ways:
        each = 1000 * step[name] / options.batch
        print(f"{name:12} {first[name]:14.1f} {step[name]:10.2f} {each:12.1f}")
    ratios = {
        "step_ratio": round(step["fused"] / step["Keras's own"], 3),
        "first_step_ratio": round(first["fused"] / first["Keras's own"], 3),
    }
    print(json.dumps(ratios))


if __name__ == "__main__":
    main()
