"""Network compression beside what users would do instead, both sides in one process.

    make setup && python benchmarks/network_compression.py [tucker ...] [--repeats 7]

Both sides take turns. Times are medians of the processor's seconds on one thread, so that other
work on the machine counts little.

``tucker``: Tucker-2 of a 3×3 kernel of 128 input and 256 output channels at ranks (24, 32), whose
singular values fall as those of trained kernels do: our randomised algorithm against tensorly's
``partial_tucker``.

``decode``: LeNet-5 with nine tenths of its weights zero and eight values a kernel, read from a
`.slim` file, against Keras reading the same model from a ``.keras`` file.

``low_rank``: one image through 784-5×1024-10, its hidden layers of rank 20, against the whole
network.

A table comes first. The last line is one JSON object: ``tucker_ratio``, ``decode_ratio`` and
``low_rank_ratio``, their seconds over ours, ``tucker_error_ratio``, our error over theirs, and
``decode_ms``.

Thresholds: tucker_ratio at least 10, tucker_error_ratio at most 1.01, decode_ms at most 100.
"""

import argparse
import json
import statistics
import sys
import tempfile
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
    print(f"{what:34} | {ours:10.7g} | {theirs:10.7g} | {unit}")


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


def decode(effort: Effort) -> dict[str, Any]:
    """Compare reading a compressed LeNet-5 with Keras reading its own file."""
    import keras

    from benchmarks.mnist import lenet5
    from slimderm.components.network_compression.share import ShareWeights
    from slimderm.components.network_compression.slim_file import inspect, pack, unpack
    from slimderm.components.network_compression.sparsify import Sparsify

    untouched = lenet5()
    contents = inspect(pack(untouched))
    weights = sum(weight.num_bytes for weight in contents.weights)
    row("decode: untouched .slim, float32", weights, 4 * untouched.count_params(), "bytes")
    print(f"the rest of that file, architecture included: {contents.total_bytes - weights} bytes")
    sparse = Sparsify(0.9, steps=1).apply(untouched).model
    model = ShareWeights(3).apply(sparse).model
    data = pack(model)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        seconds = alternate(
            {"ours": lambda: unpack(data), "theirs": lambda: keras.models.load_model(path)},
            effort.repeats,
        )
        row("decode: .slim, .keras", len(data), path.stat().st_size, "bytes")
    row("decode: .slim, .keras", seconds["ours"], seconds["theirs"], "s")
    return {
        "decode_ratio": seconds["theirs"] / seconds["ours"],
        "decode_ms": 1000 * seconds["ours"],
    }


def low_rank(effort: Effort) -> dict[str, Any]:
    """Compare one image through a factorised network and through the whole."""
    from benchmarks.mnist import mlp
    from slimderm.components.network_compression.low_rank import LowRank
    from slimderm.components.network_compression.ranks import Ranks

    whole = mlp()
    small = LowRank(Ranks(rank=20), layers=("hidden*",)).apply(whole).model
    image = np.zeros((1, 28, 28, 1), np.float32)

    def often(model: Any) -> Callable[[], object]:
        return lambda: [model.predict_on_batch(image) for _ in range(20)]

    seconds = alternate({"ours": often(small), "theirs": often(whole)}, effort.repeats)
    row("low_rank: rank 20, whole", seconds["ours"] / 20, seconds["theirs"] / 20, "s")
    return {"low_rank_ratio": seconds["theirs"] / seconds["ours"]}


COMPARISONS: dict[str, Callable[[Effort], dict[str, Any]]] = {
    "tucker": tucker,
    "decode": decode,
    "low_rank": low_rank,
}


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
