"""What `slimderm export` can ship: the architectures of `keras.applications`, and our own networks.

    make setup && python benchmarks/export_zoo.py [MobileNet ...] [--targets ...] [--minutes 60]

Each network has fresh weights of seed 0, the smallest images that it takes of 32, 64, 75, 96, 128
or 224 pixels a side, and five classes; our own four also pruned by half, of low rank, separable,
truncated and quantised. Each becomes a file of each target, in a process of its own, calibrated
on eight images of noise, and the file is run by its own runtime on them: bytes, milliseconds of
one image on one thread, and the largest difference of a probability from Keras's. What fails is
shown with the library's own words. Networks that no time is left for are named. Fresh weights say
nothing of accuracy.

A row is printed as it is known. The last line is one JSON object: ``networks``, ``files``,
``failed`` and ``not_tried``, numbers of networks, files that ran, files that did not, networks.
"""

import argparse
import inspect
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from slimderm.components.common.errors import SlimDermError
from slimderm.components.export.artefact import export
from slimderm.components.export.judge import judge
from slimderm.components.export.table import get
from slimderm.components.network_compression.low_rank import LowRank
from slimderm.components.network_compression.quantise import Quantise
from slimderm.components.network_compression.ranks import Ranks
from slimderm.components.network_compression.recipe import Step, compress
from slimderm.components.network_compression.separable import Separable
from slimderm.components.network_compression.truncate import Truncate
from slimderm.components.pruning.pruner import prune
from slimderm.components.training.build import build
from slimderm.components.training.networks import NETWORKS

SIDES = (32, 64, 75, 96, 128, 224)
CLASSES, IMAGES = 5, 8
TARGETS = "litert-int8,litert-static-int8,onnx-float32,onnx-static-int8"
PATIENCE = 600  # seconds for one network
WAYS: dict[str, Callable[[keras.Model], keras.Model]] = {
    "": lambda model: model,
    "pruned": lambda model: prune(model, ratio=0.5).model,
    "low_rank": lambda model: _compressed(model, LowRank(Ranks(rank=8))),
    "separable": lambda model: _compressed(model, Separable()),
    "truncated": lambda model: _compressed(model, Truncate(8)),
    "quantised": lambda model: _compressed(model, Quantise(8)),
}


def _compressed(model: keras.Model, setting: Any) -> keras.Model:
    return list(compress(model, [Step(setting)]))[-1].model


def applications() -> list[str]:
    """Names of the functions of `keras.applications` that build a network."""
    found = vars(keras.applications).items()
    return [name for name, each in found if callable(each) and "weights" in _arguments(each)]


def _arguments(function: Any) -> list[str]:
    return [] if inspect.isclass(function) else list(inspect.signature(function).parameters)


def ours() -> list[str]:
    """Names of our networks, plain and smaller: ``lenet5``, ``lenet5 pruned``."""
    return [f"{network} {way}".strip() for network in NETWORKS for way in WAYS]


def make(name: str) -> keras.Model:
    """Build a network with the input ``image`` and a softmax."""
    keras.utils.set_random_seed(0)
    network, _, way = name.partition(" ")
    if network in NETWORKS:
        return WAYS[way](build(network, num_classes=CLASSES, input_shape=(100, 50)))
    refused: Exception | None = None
    for side in SIDES:
        image = keras.Input((side, side, 3), name="image")
        try:
            body = getattr(keras.applications, name)(
                weights=None, include_top=False, input_tensor=image, pooling="avg"
            )
        except Exception as error:  # too small an image; each says so its own way
            refused = error
            continue
        head = keras.layers.Dense(CLASSES, "softmax")(body.output)
        return keras.Model(image, head, name=name.lower())
    raise ValueError(f"no size of {SIDES}: {refused}")


def row(name: str, targets: list[str]) -> dict[str, Any]:
    """Make and run a network's files."""
    model = make(name)
    draw = np.random.default_rng(0)
    inputs = {
        each.name: draw.random((IMAGES, *each.shape[1:]), np.float32)
        * np.float32(255 if each.name == "image" else 1)
        for each in model.inputs
    }
    wanted = model.predict(inputs if len(inputs) > 1 else inputs["image"], verbose=0)
    shape = next(each.shape[1:] for each in model.inputs if each.name == "image")
    found: dict[str, Any] = {"parameters": model.count_params(), "image": list(shape[:2])}
    for target in targets:
        try:
            artefact = export(model, target, calibration=inputs)
            judged = judge(artefact, inputs, get(target).runtime)
            apart = float(np.abs(judged.probabilities - wanted).max())
            found[target] = [len(artefact), judged.latency[1].p50_ms, apart]
        except SlimDermError as error:
            found[target] = " ".join(str(error).split())
    return found


def in_a_process(name: str, targets: str) -> dict[str, Any]:
    """Return `row` of a process of its own: some converters end theirs."""
    command = [sys.executable, "-W", "ignore", __file__, "--one", name, "--targets", targets]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return dict.fromkeys(targets.split(","), f"not finished after {PATIENCE} s")
    if done.returncode:
        said = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        return dict.fromkeys(targets.split(","), f"exit code {done.returncode}: {said}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def cell(found: Any) -> str:
    """Write a target's answer: megabytes, milliseconds, largest difference; or what was said."""
    if isinstance(found, str):
        return found.replace("|", "/")[:160]
    size, milliseconds, apart = found
    return f"{size / 1e6:.2f} MB, {milliseconds:.2f} ms, {apart:.2g}"


def main() -> None:
    """Print the table."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("networks", nargs="*")
    parser.add_argument("--targets", default=TARGETS)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    targets = given.targets.split(",")
    if given.one:
        print(json.dumps(row(given.one, targets)))
        return
    names = given.networks or ours() + applications()
    print("| network | parameters | image |" + "".join(f" {target} |" for target in targets))
    print("| --- | ---: | --- |" + " --- |" * len(targets), flush=True)
    end, counts = time.monotonic() + 60 * given.minutes, {"files": 0, "failed": 0, "networks": 0}
    left = []
    for name in names:
        if time.monotonic() > end:
            left.append(name)
            continue
        found = in_a_process(name, given.targets)
        answers = [found[target] for target in targets]
        counts["networks"] += 1
        counts["failed"] += sum(isinstance(each, str) for each in answers)
        counts["files"] += sum(not isinstance(each, str) for each in answers)
        size = f"{found['parameters']:,}" if "parameters" in found else "?"
        image = "×".join(map(str, found.get("image", ["?"])))
        print(f"| {name} | {size} | {image} | {' | '.join(map(cell, answers))} |", flush=True)
    if left:
        print(f"\nNo time was left for {', '.join(left)}.")
    print(json.dumps(counts | {"not_tried": len(left)}))


if __name__ == "__main__":
    main()
