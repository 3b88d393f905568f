"""Our pruner beside torch-pruning, on twelve architectures, in one run.

    make setup && python benchmarks/pruning.py [--light] [--architecture swin_t]

Both sides halve every layer but the last, at batch 1 and 224x224, on two threads. torch-pruning and
PyTorch are not needed otherwise: they are installed once, into an environment of their own under
``.cache/benchmarks``, unless ``--only keras`` leaves them out. Times are medians; both models of a
comparison take turns. Networks that `keras.applications` lacks are built in ``pruning_models.py``;
``pruning_torch.py`` says how torch-pruning is called. Ours may move statistics over channels, as
theirs does unasked. Of attention theirs halves the width of each head; ours halves the number of
heads, and here leaves the values of each whole, so that both keep as many products.

``--light`` measures nothing but parameters and planning, in processor seconds on one thread, so
that other work on the machine counts little; a few minutes.

The last line is one JSON object with an entry for each architecture. Ours: ``plan_s``,
``keras_build_s``, ``total_s``, ``total_over_keras_build``, ``speedup_keras``, ``speedup_masks``,
``speedup_litert``, ``speedup_masks_litert``, ``ms`` and ``params`` (trainable ones, for these are
what PyTorch counts); torch-pruning's: ``torch_build_s``, ``torch_step_s``, ``speedup_torch`` and
``params_torch``; of both sides together, ``plan_ratio``.

Thresholds: plan_ratio at most 1, total_over_keras_build at most 1.5, speedup_keras at least 80 % of
speedup_torch, parameters within 5 % of torch-pruning's. ``speedup_litert`` is that of the same two
models exported to LiteRT, where the fixed cost of an operation is small.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pruning_timing import Effort  # of this folder; the other side has no more of ours

ARCHITECTURES = {
    "VGG16": "vgg16",
    "ResNet50": "resnet50",
    "DenseNet169": "densenet169",
    "MobileNetV2": "mobilenet_v2",
    "EfficientNetB0": "efficientnet_b0",
    "ConvNeXtTiny": "convnext_tiny",
    "vit_b_16": "vit_b_16",
    "swin_t": "swin_t",
    "EfficientNetV2S": "efficientnet_v2_s",
    "MobileNetV3Large": "mobilenet_v3_large",
    "resnext50_32x4d": "resnext50_32x4d",
    "regnet_y_400mf": "regnet_y_400mf",
}
REQUIREMENTS = (
    "torch==2.13.0", "torchvision==0.28.0", "torch-pruning==1.6.1", "transformers==4.57.6",
    "numpy<2.5",
)  # fmt: skip
ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".cache/benchmarks/torch"


def other_python() -> Path:
    """Install PyTorch and torch-pruning apart, once; return their Python."""
    python = HOME / "bin" / "python"
    note, wanted = HOME / ".installed", "\n".join(REQUIREMENTS)
    if not note.exists() or note.read_text() != wanted:
        print(f"installing {', '.join(REQUIREMENTS)} into {HOME} (once)", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True)
        uv = Path(sys.executable).with_name("uv")
        install = [str(uv), "pip", "install", "--quiet", "--python", str(python), *REQUIREMENTS]
        subprocess.run(install, check=True)
        note.write_text(wanted)
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
    "plan_s": "plan s",
    "torch_build_s": "torch build s",
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
                value = " to ".join(f"{number / 1e6:.2f} M" for number in value)
            cells.append((f"{value:.2f}" if isinstance(value, float) else value).rjust(len(title)))
        print(" | ".join(cells))


def main() -> None:
    """Run both sides and print the table, then one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", choices=("torch", "keras"))
    parser.add_argument("--architecture", choices=tuple(ARCHITECTURES))
    parser.add_argument("--only", choices=("torch", "keras"), default="")
    parser.add_argument("--light", action="store_true", help="parameters and planning alone")
    for option, default in asdict(Effort()).items():
        parser.add_argument(f"--{option}", type=type(default), default=default)
    arguments = parser.parse_args()
    seconds = 0.0 if arguments.light else arguments.seconds
    effort = Effort(arguments.size, arguments.repeats, seconds)
    if arguments.side == "torch":
        import pruning_torch

        print(json.dumps(pruning_torch.measure(ARCHITECTURES[arguments.architecture], effort)))
    elif arguments.side == "keras":
        import pruning_keras

        print(json.dumps(pruning_keras.measure(arguments.architecture, effort)))
    else:
        names = [arguments.architecture] if arguments.architecture else list(ARCHITECTURES)
        results = {name: measure(name, arguments.only, effort) for name in names}
        show(results)
        print(json.dumps(results))


if __name__ == "__main__":
    main()
