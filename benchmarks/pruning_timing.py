"""How ``benchmarks/pruning.py`` takes its times, on both sides."""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

THREADS = 2


@dataclass(frozen=True)
class Effort:
    """How large the images are (pixels each way), and how often and how long is measured.

    Without `seconds` nothing is measured but planning, by the processor's clock.
    """

    size: int = 224
    repeats: int = 5
    seconds: float = 4.0

    @property
    def clock(self) -> Callable[[], float]:
        """Return what tells the time."""
        return time.perf_counter if self.seconds else time.process_time

    @property
    def threads(self) -> int:
        """Return how many threads may work."""
        return THREADS if self.seconds else 1


def median(call: Callable[[], object], effort: Effort) -> float:
    """Time a call, the median of several after one that warms up."""
    call()
    times = []
    for _ in range(effort.repeats):
        started = effort.clock()
        call()
        times.append(effort.clock() - started)
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
