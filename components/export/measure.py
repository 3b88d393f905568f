"""Run a file in its runtime, as a program of its own that knows nothing of SlimDerm.

``python -I measure.py RUN.py FILE INPUTS.npz THREADS OUT.npz`` writes probabilities, milliseconds
and the process's peak memory. RUN.py has a function ``load`` that takes a file and a number of
threads, and returns one from inputs by name to probabilities. What goes wrong is one line on
stderr.
"""

import runpy
import sys
import time
from pathlib import Path

WARM_UP, MOST, LEAST, SECONDS = 20, 300, 30, 3.0


def main(program: str, file: str, inputs: str, threads: str, out: str) -> None:
    """Run every row of the inputs, then time the first ones again."""
    import numpy as np

    with np.load(inputs) as arrays:
        given = {name: arrays[name] for name in arrays.files}
    run = runpy.run_path(program)["load"](file, int(threads))
    size = len(next(iter(given.values())))
    rows = [{name: each[i : i + 1] for name, each in given.items()} for i in range(size)]
    answers = [run(row) for row in rows]
    for turn in range(WARM_UP):
        run(rows[turn % size])
    times: list[float] = []
    end = time.perf_counter() + SECONDS
    while len(times) < MOST and (len(times) < LEAST or time.perf_counter() < end):
        started = time.perf_counter()
        run(rows[len(times) % size])
        times.append((time.perf_counter() - started) * 1000)
    np.savez(out, probabilities=np.concatenate(answers), ms=np.array(times), peak=peak_bytes())


def peak_bytes() -> int:
    """Return the largest memory that this process held; 0 where the system does not say.

    Not by getrusage: on Linux it begins with what the parent held.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        found = next(line for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return 0
    return int(found.split()[1]) * 1024


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Exception as error:  # the runtime's own
        sys.exit(" ".join(f"{type(error).__name__}: {error}".split()))
