"""A shipped file judged by its own runtime, in a process that has nothing of ours."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import ExportError, ParameterError
from slimderm.components.export.litert import LITERT
from slimderm.components.export.target import Inputs, Runtime

PROGRAM = Path(__file__).with_name("measure.py")
THREADS = (1, 2)
SAID = 300  # characters of what the runtime says


@dataclass(frozen=True)
class Latency:
    """Milliseconds for one image: median and 99th percentile of so many runs."""

    p50_ms: float
    p99_ms: float
    num_runs: int


@dataclass(frozen=True)
class Judgement:
    """What a file answered, and what that cost.

    Attributes
    ----------
    probabilities : float32 array of shape (N, C)
    latency : dict of int to Latency
        By the number of threads.
    peak_bytes : int
        The largest memory of the process on one thread, with Python, NumPy, the runtime and the
        given arrays; 0 where the system does not say.
    """

    probabilities: npt.NDArray[np.float32]
    latency: dict[int, Latency]
    peak_bytes: int


@dataclass(frozen=True)
class Difference:
    """How far a file's probabilities are from Keras's.

    Attributes
    ----------
    agreement : float
        Share of images for which both name the same class.
    mean, worst : float
        Of the absolute differences of all probabilities.
    num_images : int
    """

    agreement: float
    mean: float
    worst: float
    num_images: int


def judge(artefact: bytes, inputs: Inputs, runtime: Runtime = LITERT) -> Judgement:
    """Load and run a file with its runtime's default settings, on one thread and on two.

    Parameters
    ----------
    artefact : bytes
        As `slimderm.components.export.artefact.export` gives it.
    inputs : mapping of str to float32 array
        By the names of the inputs; of N rows each, at least one.
    runtime : Runtime
        That of the target.

    Raises
    ------
    ParameterError
        If there is no row.
    ExportError
        If the file does not load or run; the message holds the runtime's words.
    """
    if not all(len(array) for array in inputs.values()):
        raise ParameterError("inputs: received no row, expected at least one image")
    with TemporaryDirectory() as place:
        folder = Path(place)
        (folder / f"model{runtime.suffix}").write_bytes(artefact)
        given: Any = {name: np.asarray(array, np.float32) for name, array in inputs.items()}
        np.savez(folder / "inputs.npz", **given)
        answers = {threads: _run(folder, runtime, threads) for threads in THREADS}
    first = answers[THREADS[0]]
    return Judgement(
        first["probabilities"],
        {threads: _latency(answer["ms"]) for threads, answer in answers.items()},
        int(first["peak"]),
    )


def _run(folder: Path, runtime: Runtime, threads: int) -> dict[str, npt.NDArray[np.float32]]:
    out = folder / f"{threads}.npz"
    file = folder / f"model{runtime.suffix}"
    given = [runtime.program, file, folder / "inputs.npz", threads, out]
    command = [sys.executable, "-I", "-W", "ignore", *map(str, [PROGRAM, *given])]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    if done.returncode:
        lines = done.stderr.split("\n")
        said = next((line for line in reversed(lines) if line.strip()), "")[:SAID]
        raise ExportError(
            f"artefact: its runtime, {runtime.module}, does not run it (exit code "
            f"{done.returncode}: {said or 'it said nothing'}); try another target"
        )
    with np.load(out) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _latency(milliseconds: npt.NDArray[np.float32]) -> Latency:
    p50, p99 = np.percentile(milliseconds, [50, 99])
    return Latency(float(p50), float(p99), len(milliseconds))


def compare(found: npt.NDArray[np.floating], expected: npt.NDArray[np.floating]) -> Difference:
    """Compare a file's probabilities with Keras's, both of shape (N, C).

    Raises
    ------
    ParameterError
        If the shapes differ.
    """
    if found.shape != expected.shape:
        raise ParameterError(
            f"found: received probabilities of shape {found.shape}, expected {expected.shape}"
        )
    apart = np.abs(np.asarray(found, np.float64) - expected)
    same = found.argmax(axis=1) == expected.argmax(axis=1)
    return Difference(float(same.mean()), float(apart.mean()), float(apart.max()), len(found))
