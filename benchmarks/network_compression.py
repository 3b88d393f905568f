"""Network compression beside what users would do instead, both sides in one process.

    make setup && python benchmarks/network_compression.py [tucker ...] [--repeats 7]

Both sides take turns. Times are medians of the processor's seconds on one thread, so that other
work on the machine counts little.

``tucker``: Tucker-2 of a 3×3 kernel of 128 input and 256 output channels at ranks (24, 32), whose
singular values fall as those of trained kernels do: our randomised algorithm against tensorly's
``partial_tucker``.

A table comes first. The last line is one JSON object: ``tucker_ratio``, their seconds over ours,
and ``tucker_error_ratio``, our error over theirs.

Thresholds: tucker_ratio at least 10, tucker_error_ratio at most 1.01.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from slimderm.components.network_compression import hosvd


@dataclass(frozen=True)
class Effort:
    """How often is measured, and how many output channels kernels have."""

    repeats: int = 7
    channels: int = 256


def alternate(calls: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of the processor of each call, all taking turns, after one that warms up."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(repeats):
        for name, call in calls.items():
            started = time.process_time()
            call()
            times[name].append(time.process_time() - started)
    return {name: statistics.median(found) for name, found in times.items()}


def row(what: str, ours: float, theirs: float, unit: str) -> None:
    """Print one line of the table."""
    print(f"{what:34} | {ours:10.4f} | {theirs:10.4f} | {unit}")


def kernel_like_trained(channels: int) -> npt.NDArray[np.float64]:
    """Draw a 3×3 kernel, (9, channels / 2, channels), with singular values that fall."""
    generator = np.random.default_rng(0)
    kernel = generator.standard_normal((9, channels // 2, channels))
    for axis, size in ((1, channels // 2), (2, channels)):
        basis = np.linalg.qr(generator.standard_normal((size, size)))[0]
        falling = basis * np.exp(-6.4 * np.arange(size) / size)
        kernel = np.moveaxis(np.tensordot(kernel, falling, axes=(axis, 1)), -1, axis)
    return kernel


def tucker(effort: Effort) -> dict[str, Any]:
    """Compare seconds and errors of two decompositions of one kernel."""
    import tensorly
    from tensorly.decomposition import partial_tucker

    kernel = kernel_like_trained(effort.channels)
    ranks = (3 * effort.channels // 32, effort.channels // 8)
    seconds = alternate(
        {
            "ours": lambda: hosvd.randomised(kernel, ranks),
            "theirs": lambda: partial_tucker(kernel, rank=list(ranks), modes=[1, 2]),
        },
        effort.repeats,
    )
    (core, factors), _ = partial_tucker(kernel, rank=list(ranks), modes=[1, 2])
    theirs = tensorly.tenalg.multi_mode_dot(core, factors, modes=[1, 2])
    errors = [
        float(np.linalg.norm(kernel - near) / np.linalg.norm(kernel))
        for near in (hosvd.randomised(kernel, ranks).product(), theirs)
    ]
    row("tucker: ours, tensorly", seconds["ours"], seconds["theirs"], "s")
    row("tucker: error of the kernel", *errors, "relative")
    return {
        "tucker_ratio": seconds["theirs"] / seconds["ours"],
        "tucker_error_ratio": errors[0] / errors[1],
    }


COMPARISONS: dict[str, Callable[[Effort], dict[str, Any]]] = {"tucker": tucker}


def main() -> None:
    """Make the comparisons that are named, print their table, then one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="|".join(COMPARISONS), default=[])
    for option, default in asdict(Effort()).items():
        parser.add_argument(f"--{option}", type=int, default=default)
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(COMPARISONS)
    if unknown:
        parser.error(f"received {', '.join(sorted(unknown))}, expected {', '.join(COMPARISONS)}")
    effort = Effort(arguments.repeats, arguments.channels)
    results: dict[str, Any] = {}
    print(f"{'':34} | {'ours':>10} | {'theirs':>10} |")
    with threadpool_limits(1):
        for name in arguments.names or COMPARISONS:
            results |= COMPARISONS[name](effort)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
