"""Files for small runtimes beside Keras: bytes, latency, and accuracy where images are given.

    make setup
    python benchmarks/edge.py [--clone FOLDER --small FILE --unpruned FILE --told FILE]

``small`` and ``unpruned`` are Keras files of the same classes; ``told`` is the ``recipe.json`` or
``steps.json`` beside them, which holds their description; ``clone`` is a workspace whose training
images calibrate and whose validation images judge, both only read. Without them: LeNet-5 for
100×50 pixels, pruned by half, beside the unpruned one, fresh weights of seed 0, noise. A third
network is the AlexNet based one for 200×100 pixels, fresh weights, unpruned.

Each is timed by Keras's own ``tf.function`` of one image on one thread, in this process, and as
files in processes of their own on one thread, by what `slimderm export` measures. int8 of the
unpruned network beside int8 of the small one says what pruning adds to quantisation. The last but
one column is the largest difference of a probability from that network's Keras; the last one the
balanced accuracy less that of the *unpruned* network in Keras, with the interval of the paired
difference (95 %, lesions resampled whole, seed 0).

A table comes first. The last line is one JSON object: ``champion_bytes``, ``champion_p50_ms`` and
``champion_difference_low`` (lower end of that interval; null without images) of the small network
as dynamic int8, ``alexnet_int8_mb``, and ``alexnet_speedup``, Keras's milliseconds over those of
dynamic int8.

Thresholds: champion_bytes at most 100,000, champion_p50_ms at most 1, champion_difference_low above
-0.05, alexnet_int8_mb at most 26, alexnet_speedup at least 2.5.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from slimderm.components.export.accuracy import Demanded, judge_accuracy
from slimderm.components.export.artefact import export
from slimderm.components.export.judge import judge
from slimderm.components.export.table import get
from slimderm.components.pruning.pruner import prune
from slimderm.components.training.build import build
from slimderm.flows.work.edge_images import (
    Images,
    random_images,
    training_images,
    validation_images,
)
from slimderm.flows.work.edge_network import Network

DYNAMIC = "litert-int8"
TARGETS = ("litert-float32", DYNAMIC, "litert-static-int8", "onnx-float32", "onnx-static-int8")
WARM_UP, RUNS = 20, 200
DEMANDED = Demanded({"balanced_accuracy": 0.05}, 0.95, 2000, 0)


def networks(given: argparse.Namespace) -> Iterator[Network]:
    """Yield the small network, the unpruned one, and the AlexNet based one."""
    if given.small:
        description = json.loads(Path(given.told).read_text())["description"]
        for name, file in (("small", given.small), ("unpruned", given.unpruned)):
            model = keras.models.load_model(file, compile=False)
            yield Network(model, name, description=description)
    else:
        whole = build("lenet5", num_classes=4, input_shape=(100, 50), seed=0)
        yield Network(prune(whole, ratio=0.5).model, "small: LeNet-5 pruned")
        yield Network(whole, "unpruned: LeNet-5")
    yield Network(build("alexnet", num_classes=4, seed=0), "AlexNet based, 200×100")


def keras_latency(network: Network, images: Images) -> tuple[float, float]:
    """Return p50 and p99 of one image, ms."""
    function = tf.function(lambda given: network.model(given, training=False))
    row = {name: tf.constant(each[:1]) for name, each in images.inputs.items()}
    given = row if len(row) > 1 else row["image"]
    times = []
    for _ in range(WARM_UP + RUNS):
        started = time.perf_counter()
        function(given).numpy()
        times.append((time.perf_counter() - started) * 1000)
    p50, p99 = np.percentile(times[WARM_UP:], [50, 99])
    return float(p50), float(p99)


def predicted(network: Network, images: Images) -> np.ndarray:
    """Return Keras's probabilities, (N, C)."""
    inputs = images.inputs
    given = inputs if len(inputs) > 1 else inputs["image"]
    return np.asarray(network.model.predict(given, verbose=0), np.float64)


def rows(
    network: Network, images: Images, training: Images, reference: np.ndarray | None
) -> Iterator[dict[str, Any]]:
    """Yield a row for Keras and one for each target."""
    calibration = training.for_file(network.encoder)
    labelled = images.labelled(list((network.description or {}).get("classes", [])))
    wanted = predicted(network, images)

    def compared(found: np.ndarray) -> Any | None:
        if labelled is None or reference is None:
            return None
        return judge_accuracy(found, reference, labelled, DEMANDED).metrics["balanced_accuracy"]

    p50, p99 = keras_latency(network, images)
    size = sum(each.nbytes for each in network.model.get_weights())
    row = {"network": network.name, "file": "Keras, tf.function", "bytes": size, "apart": 0.0}
    yield row | {"p50": p50, "p99": p99, "compared": compared(wanted)}
    for target in TARGETS:
        artefact = export(network.model, target, encoder=network.encoder, calibration=calibration)
        judged = judge(artefact, images.for_file(network.encoder), get(target).runtime)
        one = judged.latency[1]
        yield {
            "network": network.name,
            "file": target,
            "bytes": len(artefact),
            "p50": one.p50_ms,
            "p99": one.p99_ms,
            "apart": float(np.abs(judged.probabilities - wanted).max()),
            "compared": compared(judged.probabilities),
        }


def line(row: dict[str, Any]) -> str:
    """Write a row of the table."""
    found = row["compared"]
    accuracy = (
        f"{found.file:.3f}, {found.file - found.keras:+.3f} ({found.low:+.3f} to {found.high:+.3f})"
        if found
        else ""
    )
    cells = [row["network"], row["file"], f"{row['bytes']:,}", f"{row['p50']:.2f}"]
    return "| " + " | ".join([*cells, f"{row['p99']:.2f}", f"{row['apart']:.2g}", accuracy]) + " |"


def main() -> None:
    """Print the table and the numbers."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    for name in ("clone", "small", "unpruned", "told"):
        parser.add_argument(f"--{name}", default="")
    given = parser.parse_args()
    files = [bool(each) for each in vars(given).values()]
    if any(files) and not all(files):
        parser.error("received some of --clone, --small, --unpruned, --told, expected all or none")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    made = list(networks(given))
    if given.clone:
        os.chdir(given.clone)
    whole = made[1]
    images = validation_images(whole)
    training = training_images(whole)
    reference = predicted(whole, images) if images else None
    print("| network | file | bytes | p50, ms | p99, ms | apart | balanced accuracy |")
    print("| --- | --- | ---: | ---: | ---: | ---: | --- |")
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for network in made:
        known = network.description is not None
        own = images if known and images else random_images(network)
        for row in rows(network, own, (known and training) or own, reference if known else None):
            found[network.name, row["file"]] = row
            print(line(row), flush=True)
    champion, alexnet = found[made[0].name, DYNAMIC], found[made[2].name, DYNAMIC]
    told = champion["compared"]
    plain = found[made[2].name, "Keras, tf.function"]
    numbers = {
        "champion_bytes": champion["bytes"],
        "champion_p50_ms": round(champion["p50"], 3),
        "champion_difference_low": told and round(told.low, 4),
        "alexnet_int8_mb": round(alexnet["bytes"] / 1e6, 2),
        "alexnet_speedup": round(plain["p50"] / alexnet["p50"], 2),
    }
    print(json.dumps(numbers))


if __name__ == "__main__":
    main()
