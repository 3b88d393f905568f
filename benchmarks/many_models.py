"""Many models pruned by half on each backend: proven, saved, loaded again and trained for a step.

    make setup && python benchmarks/many_models.py [NAME ...] [--backends jax] [--minutes 60]

The models are every constructor of `keras.applications`, with ten classes and the smallest images
that it takes of 32, 64, 75 or 96 pixels a side, and those of ``benchmarks/peers.py``, if their
packages are installed (its head says how). Weights and statistics of normalisation are random;
statistics over channels may move, and the proof takes them over the channels that stay. NAME picks
models whose name has it.

JAX and PyTorch are installed once, into environments of their own under ``.cache/benchmarks``, as
``tests/jax.lock`` and ``tests/torch.lock`` have them. A few models share a process, and one whose
process ends early is named. What was found is kept in the folder ``--keep`` and not done again.
After ``--minutes`` no more is begun, and models of more than ``--parameters`` are left out for the
memory's sake; those that differ from others in depth and width alone come last.

A table comes first: parameters, what is left, and for each backend the largest difference of an
output from what the surgery promises, relative to the outputs' standard deviation; or what failed.
The last line is one JSON object: ``models``, how many there are, ``not_tried``, and for each
backend ``held`` (how many passed all of it), ``refused``, ``failed`` and ``worst``, the largest
deviation.
"""

import argparse
import gc
import inspect
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras
import numpy as np

from benchmarks.peers import models as peers
from slimderm import ParameterError, prune, verify
from slimderm.components.model_graph.plain import plain
from slimderm.components.pruning.proof import randomise

ROOT = Path(__file__).resolve().parents[1]
BACKENDS = ("tensorflow", "jax", "torch")
SIDES = (32, 64, 75, 96)
TOGETHER = 6  # models a process
THRESHOLD = 1e-4
# These differ from another of their family in depth and width alone.
LIKE_OTHERS = (
    r"ConvNeXt(Small|Base|X?Large)|DenseNet(169|201)|EfficientNetB[1-7]|EfficientNetV2(B[1-3]|M|L)"
    r"|NASNetLarge|ResNet1(01|52)(V2)?|VGG19"
)
# JAX would compile networks that run once for longer than it computes them.
QUICK_COMPILING = {
    "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
}


def applications() -> list[str]:
    """Names of the functions of `keras.applications` that build a network."""

    def builds(each: Any) -> bool:
        return inspect.isfunction(each) and "weights" in inspect.signature(each).parameters

    return [name for name, each in vars(keras.applications).items() if builds(each)]


def application(name: str) -> keras.Model:
    """Build one with fresh weights, without its softmax."""
    refused: Exception | None = None
    for side in SIDES:
        try:
            return getattr(keras.applications, name)(
                weights=None, input_shape=(side, side, 3), classes=10, classifier_activation=None
            )
        except ValueError as error:  # too small an image; each says so its own way
            refused = error
    raise ValueError(f"no size of {SIDES}: {refused}")


def models() -> Iterator[tuple[str, Callable[[], keras.Model]]]:
    """Yield names and makers of all models."""
    for name in applications():
        yield name, partial(application, name)
    yield from peers()


def drawn(model: keras.Model) -> Any:
    """Draw a batch of two inputs, in the structure that the model has."""
    random = np.random.default_rng(1)

    def draw(tensor: Any) -> Any:
        shape, dtype = [size or 16 for size in (2, *tensor.shape[1:])], tensor.dtype
        whole = "int" in dtype
        return (random.integers(0, 2, shape) if whole else random.random(shape)).astype(dtype)

    return keras.tree.map_structure(draw, model.input)


def saved_and_loaded(model: keras.Model) -> keras.Model:
    """Read a model from the file that it is written to, and assert that it is the same."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        again = keras.models.load_model(path, compile=False)
    for one, other in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (one, other)))
    return again


def train_one_step(model: keras.Model) -> None:
    """Train a model, and assert that its weights move and stay finite."""
    before, random = model.get_weights(), np.random.default_rng(2)
    given = drawn(model)
    targets = keras.tree.map_structure(lambda each: random.random(each.shape), model(given))
    model.compile(keras.optimizers.SGD(1e-3), "mse", jit_compile=keras.backend.backend() == "jax")
    loss = model.train_on_batch(given, targets)
    after = model.get_weights()
    assert np.isfinite(loss).all(), f"the loss is {loss}"
    assert all(np.isfinite(weight).all() for weight in after), "a weight is no number"
    assert any((one != other).any() for one, other in zip(before, after, strict=True)), "no change"


def row(make: Callable[[], keras.Model], most: int) -> dict[str, Any]:
    """Do everything with one model; say how far it came."""
    model = make()
    found: dict[str, Any] = {"parameters": model.count_params()}
    if found["parameters"] > most:
        return found | {"not_tried": f"over {most:,} parameters"}
    try:
        randomise(plain(model), seed=0)
        pruned = prune(model, ratio=0.5, moving_statistics=True)
    except ParameterError as error:
        return found | {"refused": str(error).splitlines()[0][:160]}
    found["left"] = pruned.report.parameters[1]
    found["deviation"] = verify(model, pruned)
    try:
        train_one_step(saved_and_loaded(pruned.model))
    except Exception as error:  # whatever a backend says: it belongs in the table
        return found | {"failed": f"{type(error).__name__}: {error}"[:160]}
    return found


def one_process(given: argparse.Namespace) -> None:
    """Do everything with the models that are named, and keep what was found."""
    makers = dict(models())
    for name in given.names:
        started = time.perf_counter()
        found = row(makers[name], given.parameters)
        keep(given.keep, keras.backend.backend(), name, found)
        seconds = time.perf_counter() - started
        print(keras.backend.backend(), name, found, f"{seconds:.0f} s", file=sys.stderr, flush=True)
        keras.backend.clear_session()
        gc.collect()


def kept(folder: Path, backend: str, name: str) -> dict[str, Any] | None:
    """Return what was found of a model, if anything was."""
    path = folder / backend / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def keep(folder: Path, backend: str, name: str, found: dict[str, Any]) -> None:
    """Write down what was found of a model."""
    path = folder / backend / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found))


def python_of(backend: str) -> str:
    """Install a backend apart, once; return its Python."""
    if backend == "tensorflow":
        return sys.executable
    home = ROOT / ".cache/benchmarks" / f"only-{backend}"
    python = home / "bin/python"
    if not (home / ".installed").exists():
        print(f"installing {backend} into {home} (once)", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
        uv, lock = Path(sys.executable).with_name("uv"), ROOT / f"tests/{backend}.lock"
        options = ["--quiet", "--python", str(python), "--require-hashes", str(lock)]
        subprocess.run([str(uv), "pip", "sync", *options], check=True)
        (home / ".installed").touch()
    return str(python)


def together(backend: str, names: list[str], given: argparse.Namespace) -> None:
    """Do everything with a few models in one process of a backend; a new one if it ends early."""
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if backend == "jax":
        environment |= QUICK_COMPILING
    options = ["--one-process", "--parameters", str(given.parameters), "--keep", str(given.keep)]
    while names:
        command = [python_of(backend), "-W", "ignore", __file__, *names, *options]
        code = subprocess.run(command, env=environment, check=False).returncode
        names = [name for name in names if kept(given.keep, backend, name) is None]
        if names:
            keep(given.keep, backend, names[0], {"failed": f"its process ended with code {code}"})
            names = names[1:]


def everything(given: argparse.Namespace, names: list[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """Do everything on all backends in turn, until there is no time; what is kept is not redone."""
    end = time.monotonic() + 60 * given.minutes
    for start in range(0, len(names), TOGETHER):
        some = names[start : start + TOGETHER]
        for backend in given.backends:
            waiting = [name for name in some if kept(given.keep, backend, name) is None]
            if time.monotonic() < end:
                together(backend, waiting, given)
    return {
        backend: {name: found for name in names if (found := kept(given.keep, backend, name))}
        for backend in given.backends
    }


def cell(found: dict[str, Any] | None) -> str:
    """Write what a backend found of one model."""
    if found is None:
        return "no time"
    for key in ("not_tried", "refused", "failed"):
        if key in found:
            return f"{key.replace('_', ' ')}: {found[key]}".replace("|", "/").replace("\n", " ")
    return f"{found['deviation']:.1e}"


def summary(rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Count what came of all models on one backend."""
    deviations = [row["deviation"] for row in rows.values() if "deviation" in row]
    refused = sum("refused" in row for row in rows.values())
    failed = sum("failed" in row or row.get("deviation", 0.0) >= THRESHOLD for row in rows.values())
    tried = sum("not_tried" not in row for row in rows.values())
    return {
        "held": tried - refused - failed,
        "refused": refused,
        "failed": failed,
        "worst": max(deviations, default=0.0),
    }


def show(names: list[str], results: dict[str, dict[str, dict[str, Any]]]) -> None:
    """Print the table, then one JSON object."""
    print("| model | parameters | left |" + "".join(f" {backend} |" for backend in results))
    print("| --- | ---: | ---: |" + " ---: |" * len(results))
    for name in names:
        known = [rows[name] for rows in results.values() if name in rows]
        before = next((each["parameters"] for each in known if "parameters" in each), 0)
        left = next((each["left"] for each in known if "left" in each), 0)
        share = f"{left / before:.1%}" if left else ""
        cells = [cell(rows.get(name)) for rows in results.values()]
        print(f"| {name} | {before:,} | {share} | {' | '.join(cells)} |")
    tried = {name for rows in results.values() for name in rows if "not_tried" not in rows[name]}
    counts = {"models": len(names), "not_tried": len(set(names) - tried)}
    print(json.dumps(counts | {backend: summary(rows) for backend, rows in results.items()}))


def main() -> None:
    """Do everything on each backend."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=list(BACKENDS))
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--keep", type=Path, default=ROOT / ".cache/many-models")
    parser.add_argument("--parameters", type=int, default=150_000_000)
    parser.add_argument("--one-process", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one_process:
        one_process(given)
        return
    chosen = [
        name for name, _ in models() if not given.names or any(part in name for part in given.names)
    ]
    names = sorted(chosen, key=lambda name: bool(re.fullmatch(LIKE_OTHERS, name)))
    show(names, everything(given, names))


if __name__ == "__main__":
    main()
