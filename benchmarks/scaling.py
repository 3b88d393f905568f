"""What a second process adds: to the sweep, and to a loop that only the cores can slow down."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from benchmarks.sides import Clock, engine
from slimderm.components.common.workers import process_pool

ADDITIONS = 6_000_000  # take about as long as an image


def work(path: Path, *, ranks: Sequence[int]) -> None:
    """Measure one image."""
    engine(path, ranks, Clock())


def spin(_: Path) -> int:
    """Add numbers, which touches no memory: what the machine itself allows."""
    return sum(range(ADDITIONS))


def scaling(
    files: Sequence[Path], ranks: Sequence[int], *, num_images: int, rounds: int
) -> tuple[float, float]:
    """Compare the throughput of two warm processes with that of one, in turns.

    Returns
    -------
    sweep, limit : float
        Throughput of two processes over that of one, the median of `rounds`: of the sweep, and of
        a loop of additions. A machine whose two cores are shared does not reach 2 in either.
    """
    batch = list(islice(cycle(files), num_images))
    sweep = partial(work, ranks=ranks)
    tasks: dict[str, Callable[[Path], object]] = {"sweep": sweep, "limit": spin}
    found: dict[str, list[float]] = defaultdict(list)
    rates: dict[int, float] = {}
    with process_pool(1) as one, process_pool(2) as two:
        for pool in (one, two):
            list(pool.map(sweep, list(islice(cycle(files), 8))))
        for _ in range(rounds):
            for name, task in tasks.items():
                for workers, pool in ((1, one), (2, two)):
                    start = time.perf_counter()
                    list(pool.map(task, batch, chunksize=2))
                    rates[workers] = len(batch) / (time.perf_counter() - start)
                found[name].append(rates[2] / rates[1])
    sweep_ratio, limit = (float(np.median(found[name])) for name in tasks)
    print(f"two processes over one: {sweep_ratio:.2f}; of a loop of additions that touches")
    print(f"no memory, on the same cores in turn: {limit:.2f}\n")
    return sweep_ratio, limit
