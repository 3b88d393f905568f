"""Our pruner beside torch-pruning, on five architectures, in one run.

    make setup && python benchmarks/pruning.py

Both sides halve every layer but the last, at batch 1 and 224x224, on two threads. torch-pruning and
PyTorch are not needed otherwise: they are installed once, into an environment of their own under
``.cache/benchmarks``, unless ``--only keras`` leaves them out. Times are medians; both models of a
comparison take turns.

The last line is one JSON object with an entry for each architecture. Ours: ``plan_s``,
``keras_build_s``, ``total_s``, ``total_over_keras_build``, ``speedup_keras``, ``speedup_masks``,
``speedup_litert``, ``speedup_masks_litert``, ``ms`` and ``params``; torch-pruning's:
``torch_build_s``, ``torch_step_s``, ``speedup_torch`` and ``params_torch``; of both sides together,
``plan_ratio``.

Thresholds: plan_ratio at most 1, total_over_keras_build at most 1.5, speedup_keras at least 80 % of
speedup_torch, parameters within 5 % of torch-pruning's. ``speedup_litert`` is that of the same two
models exported to LiteRT, where the fixed cost of an operation is small.
"""

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ARCHITECTURES = {
    "VGG16": "vgg16",
    "ResNet50": "resnet50",
    "DenseNet169": "densenet169",
    "MobileNetV2": "mobilenet_v2",
    "EfficientNetB0": "efficientnet_b0",
}
REQUIREMENTS = ("torch==2.13.0", "torchvision==0.28.0", "torch-pruning==1.6.1", "numpy<2.5")
ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".cache/benchmarks/torch"
THREADS = 2


@dataclass(frozen=True)
class Effort:
    """How large the images are (pixels each way), and how often and how long is measured."""

    size: int = 224
    repeats: int = 5
    seconds: float = 4.0


def median(call: Callable[[], object], repeats: int) -> float:
    """Time a call, the median of several after one that warms up."""
    call()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def once(call: Callable[[], object]) -> float:
    """Time a call that leaves much to collect; what was left before is collected first."""
    gc.collect()
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def alternate(calls: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """Median seconds of each call, all taking turns for `seconds` a call."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        for _ in range(3):
            call()
    ending = time.perf_counter() + seconds * len(calls)
    while time.perf_counter() < ending or len(next(iter(times.values()))) < 10:
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(found) for name, found in times.items()}


def torch_side(name: str, effort: Effort) -> dict[str, Any]:
    """Measure torch-pruning; runs in the other environment."""
    import warnings

    warnings.filterwarnings("ignore")
    import torch
    import torch_pruning
    import torchvision

    torch.set_num_threads(THREADS)
    image = torch.zeros(1, 3, effort.size, effort.size)
    make = getattr(torchvision.models, name)

    def count(model: Any) -> int:
        return sum(parameter.numel() for parameter in model.parameters())

    def build() -> tuple[Any, Any, float]:
        model = make(weights=None).eval()
        last = [layer for layer in model.modules() if isinstance(layer, torch.nn.Linear)][-1]
        started = time.perf_counter()
        pruner = torch_pruning.pruner.MagnitudePruner(
            model,
            image,
            importance=torch_pruning.importance.MagnitudeImportance(p=1),
            pruning_ratio=0.5,
            ignored_layers=[last],
        )
        return model, pruner, time.perf_counter() - started

    build()
    times = []
    for _ in range(effort.repeats):
        pruned, pruner, seconds = build()
        times.append(seconds)
    started = time.perf_counter()
    pruner.step()
    step = time.perf_counter() - started
    whole = make(weights=None).eval()
    with torch.inference_mode():
        calls = {"whole": lambda: whole(image), "pruned": lambda: pruned(image)}
        found = alternate(calls, effort.seconds)
    return {
        "torch_build_s": statistics.median(times),
        "torch_step_s": step,
        "speedup_torch": found["whole"] / found["pruned"],
        "params_torch": [count(whole), count(pruned)],
    }


def keras_side(name: str, effort: Effort) -> dict[str, Any]:
    """Measure our pruner, and Keras's own time to construct the smaller model."""
    import keras
    import numpy as np
    import tensorflow as tf

    from slimderm.components.model_graph.trace import trace
    from slimderm.components.pruning.criteria.base import ScoringInputs
    from slimderm.components.pruning.importance import importance
    from slimderm.components.pruning.masks import apply_masks, magnitude_masks
    from slimderm.components.pruning.selection import Planner
    from slimderm.components.pruning.surgery import remove

    shape = (effort.size, effort.size, 3)
    model = getattr(keras.applications, name)(weights=None, input_shape=shape)

    def plan() -> tuple[Any, Any]:
        graph = trace(model)
        return graph, Planner(graph, importance(ScoringInputs(graph), "l1")).plan(0.5)

    plan_s = median(plan, effort.repeats)
    small = remove(*plan())
    build, total = [], []
    for _ in range(effort.repeats):
        config = small.get_config()
        build.append(once(lambda: keras.Model.from_config(config)))  # noqa: B023
        total.append(once(lambda: remove(*plan())))
    masked = keras.models.clone_model(model)
    masked.set_weights(model.get_weights())
    apply_masks(masked, magnitude_masks(masked, 0.5))
    image = tf.zeros((1, *shape))

    def inference(one: Any) -> Callable[[], object]:
        function = tf.function(lambda inputs: one(inputs, training=False))
        return lambda: np.asarray(function(image))

    def exported(one: Any) -> Callable[[], object]:
        """Return the call of a model in LiteRT, as kiosks and telephones run it."""
        signature = tf.TensorSpec(image.shape, image.dtype)
        function = tf.function(lambda inputs: one(inputs, training=False))
        concrete = function.get_concrete_function(signature)
        content = tf.lite.TFLiteConverter.from_concrete_functions([concrete], one).convert()
        interpreter = tf.lite.Interpreter(model_content=content, num_threads=THREADS)
        interpreter.allocate_tensors()
        place = interpreter.get_input_details()[0]["index"]
        answer = interpreter.get_output_details()[0]["index"]
        values = image.numpy()

        def call() -> object:
            interpreter.set_tensor(place, values)
            interpreter.invoke()
            return interpreter.get_tensor(answer)

        return call

    models = {"whole": model, "pruned": small, "masked": masked}
    found = alternate({label: inference(one) for label, one in models.items()}, effort.seconds)
    lite = alternate({label: exported(one) for label, one in models.items()}, effort.seconds)
    return {
        "plan_s": plan_s,
        "keras_build_s": statistics.median(build),
        "total_s": statistics.median(total),
        "total_over_keras_build": statistics.median(total) / statistics.median(build),
        "speedup_keras": found["whole"] / found["pruned"],
        "speedup_masks": found["whole"] / found["masked"],
        "speedup_litert": lite["whole"] / lite["pruned"],
        "speedup_masks_litert": lite["whole"] / lite["masked"],
        "ms": {
            kind: [1000 * seconds["whole"], 1000 * seconds["pruned"]]
            for kind, seconds in (("keras", found), ("litert", lite))
        },
        "params": [model.count_params(), small.count_params()],
    }


def other_python() -> Path:
    """Install PyTorch and torch-pruning apart, once; return their Python."""
    python = HOME / "bin" / "python"
    if not (HOME / ".installed").exists():
        print(f"installing {', '.join(REQUIREMENTS)} into {HOME} (once)", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True)
        uv = Path(sys.executable).with_name("uv")
        install = [str(uv), "pip", "install", "--quiet", "--python", str(python), *REQUIREMENTS]
        subprocess.run(install, check=True)
        (HOME / ".installed").touch()
    return python


def measure(name: str, only: str, effort: Effort) -> dict[str, Any]:
    """Measure one architecture on both sides, each in a fresh process."""
    found: dict[str, Any] = {}
    options = [f"--{key}={value}" for key, value in asdict(effort).items()]
    for side in (only,) if only else ("torch", "keras"):
        executable = str(other_python()) if side == "torch" else sys.executable
        print(f"{name}: {side}", flush=True)
        done = subprocess.run(
            [executable, __file__, "--side", side, "--architecture", name, *options],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        found |= json.loads(done.stdout.splitlines()[-1])
    if not only:
        found["plan_ratio"] = found["plan_s"] / found["torch_build_s"]
    return found


COLUMNS = {
    "plan_ratio": "plan / torch build",
    "total_over_keras_build": "total / Keras build",
    "speedup_keras": "speed-up, Keras",
    "speedup_torch": "speed-up, torch",
    "speedup_litert": "LiteRT",
    "speedup_masks": "masks",
    "params": "parameters",
    "params_torch": "parameters, torch",
}


def show(results: dict[str, dict[str, Any]]) -> None:
    """Print the table."""
    print(" | ".join(["architecture".ljust(15), *COLUMNS.values()]))
    for name, row in results.items():
        cells = [name.ljust(15)]
        for key, title in COLUMNS.items():
            value = row.get(key, "")
            if isinstance(value, list):
                value = " to ".join(f"{number / 1e6:.1f} M" for number in value)
            cells.append((f"{value:.2f}" if isinstance(value, float) else value).rjust(len(title)))
        print(" | ".join(cells))


def main() -> None:
    """Run both sides and print the table, then one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", choices=("torch", "keras"))
    parser.add_argument("--architecture", choices=tuple(ARCHITECTURES))
    parser.add_argument("--only", choices=("torch", "keras"), default="")
    for option, default in asdict(Effort()).items():
        parser.add_argument(f"--{option}", type=type(default), default=default)
    arguments = parser.parse_args()
    effort = Effort(arguments.size, arguments.repeats, arguments.seconds)
    if arguments.side == "torch":
        print(json.dumps(torch_side(ARCHITECTURES[arguments.architecture], effort)))
    elif arguments.side == "keras":
        print(json.dumps(keras_side(arguments.architecture, effort)))
    else:
        names = [arguments.architecture] if arguments.architecture else list(ARCHITECTURES)
        results = {name: measure(name, arguments.only, effort) for name in names}
        show(results)
        print(json.dumps(results))


if __name__ == "__main__":
    main()
