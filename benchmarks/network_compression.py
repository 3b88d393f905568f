"""Network compression beside what users would do instead, both sides in one process.

    make setup && python benchmarks/network_compression.py [tucker ...] [--repeats 7]

Both sides take turns. Times are medians of the processor's seconds on one thread, so that other
work on the machine counts little.

``tucker``: Tucker-2 of a 3×3 kernel of 128 input and 256 output channels at ranks (24, 32), whose
singular values fall as those of trained kernels do: our randomised algorithm against tensorly's
``partial_tucker``.

``decode``: LeNet-5, and half of the channels of the LeNet-5 based network (the champion of
docs/results/networks.md at the paper's input size), each with nine tenths of its weights zero and
eight values a kernel, read from a `.slim` file, against Keras reading the same model from a
``.keras`` file.

``low_rank``: one image through 784-5×1024-10, its hidden layers of rank 20, against the whole
network.

``popcount``: products of matrices of ±1, (M, K) by (K, N), by counting bits, packing the left one
among it, against NumPy's product of float32; and 256 images through 784-5×1024-10 with XNOR's
layers, packed, against Keras's own ``model(images)``. Each pair gives the same numbers.

``huffman``: a million symbols of 32 values, unevenly frequent, by our Huffman code, its table among
it, against zlib with ``Z_HUFFMAN_ONLY``. Our ``.slim`` codings use it.

A table comes first. The last line is one JSON object: ``tucker_ratio``, ``decode_ratio``,
``low_rank_ratio``, ``popcount_ratio`` (the least of three shapes), ``packed_ratio`` and
``huffman_ratio`` (encoding and decoding together), their seconds over ours, ``tucker_error_ratio``,
our error over theirs, and ``decode_ms``, of the slower network.

Thresholds: tucker_ratio at least 10, tucker_error_ratio at most 1.01, decode_ms at most 100,
popcount_ratio at least 2.5.
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
    """Compare reading compressed networks with Keras reading its own files."""
    from benchmarks.digits import lenet5
    from slimderm.components.network_compression.slim_file import inspect, pack
    from slimderm.components.pruning.pruner import prune
    from slimderm.components.training.build import build

    untouched = lenet5()
    contents = inspect(pack(untouched))
    weights = sum(weight.num_bytes for weight in contents.weights)
    row("decode: untouched .slim, float32", weights, 4 * untouched.count_params(), "bytes")
    print(f"the rest of that file, architecture included: {contents.total_bytes - weights} bytes")
    halved = prune(build("lenet5", num_classes=3), ratio=0.5).model
    found = [_decode(effort, *each) for each in (("LeNet-5", untouched), ("champion", halved))]
    return {
        "decode_ratio": min(each["theirs"] / each["ours"] for each in found),
        "decode_ms": 1000 * max(each["ours"] for each in found),
    }


def _decode(effort: Effort, name: str, whole: Any) -> dict[str, float]:
    """Return the seconds that one network takes, compressed, and as Keras keeps it."""
    import keras

    from slimderm.components.network_compression.share import ShareWeights
    from slimderm.components.network_compression.slim_file import pack, unpack
    from slimderm.components.network_compression.sparsify import Sparsify

    model = ShareWeights(3).apply(Sparsify(0.9, steps=1).apply(whole).model).model
    data = pack(model)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        seconds = alternate(
            {"ours": lambda: unpack(data), "theirs": lambda: keras.models.load_model(path)},
            effort.repeats,
        )
        row(f"decode: {name}", len(data), path.stat().st_size, "bytes")
    row(f"decode: {name}", seconds["ours"], seconds["theirs"], "s")
    return seconds


def low_rank(effort: Effort) -> dict[str, Any]:
    """Compare one image through a factorised network and through the whole."""
    from benchmarks.digits import mlp
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


def popcount(effort: Effort) -> dict[str, Any]:
    """Compare products of ±1, and a binary network."""
    from slimderm.components.network_compression.popcount import pack, product

    generator = np.random.default_rng(0)
    ratios = []
    for rows, inner, columns in ((256, 1024, 1024), (576, 1152, 256), (64, 4096, 1024)):
        left, right = (
            generator.choice(np.float32([-1, 1]), shape)
            for shape in ((rows, inner), (inner, columns))
        )
        bits = np.ascontiguousarray(pack(right.T).T)
        calls: dict[str, Callable[[], Any]] = {
            "ours": lambda left=left, bits=bits, inner=inner: product(pack(left), bits, inner),
            "theirs": lambda left=left, right=right: left @ right,
        }
        same(calls)
        seconds = alternate(calls, effort.repeats)
        row(f"popcount: {rows}, {inner}, {columns}", seconds["ours"], seconds["theirs"], "s")
        ratios.append(seconds["theirs"] / seconds["ours"])
    return {"popcount_ratio": min(ratios), "packed_ratio": _packed(effort)}


def _packed(effort: Effort) -> float:
    from benchmarks.digits import mlp
    from slimderm.components.network_compression.packed import packed
    from slimderm.components.network_compression.xnor import XNOR

    images = np.random.default_rng(0).random((256, 28, 28, 1), np.float32)
    model = XNOR().apply(mlp(), data=[(images, None)]).model
    counting = packed(model)
    calls = {
        "ours": lambda: counting.predict(images),
        "theirs": lambda: np.asarray(model(images, training=False)),
    }
    same(calls)
    seconds = alternate(calls, effort.repeats)
    row("popcount: packed network, Keras", seconds["ours"], seconds["theirs"], "s")
    return seconds["theirs"] / seconds["ours"]


def same(calls: Mapping[str, Callable[[], Any]]) -> None:
    """Make sure that all give the same numbers."""
    first, *others = (call() for call in calls.values())
    for other in others:
        np.testing.assert_array_equal(first, other)


def huffman(effort: Effort) -> dict[str, Any]:
    """Compare a Huffman code's encoding, its table among it, and decoding with zlib's."""
    import zlib

    from slimderm.components.network_compression import huffman as ours
    from slimderm.components.network_compression.bits import BitReader, pack_bits

    shares = np.random.default_rng(0).dirichlet(np.full(32, 0.5))
    symbols = np.random.default_rng(0).choice(32, 1_000_000, p=shares).astype(np.uint8)
    plain = symbols.tobytes()

    def encode() -> bytes:
        lengths = ours.code_lengths(np.bincount(symbols, minlength=32))
        return pack_bits(ours.encode_lengths(lengths), ours.encode(symbols, lengths))

    def decode() -> npt.NDArray[np.uint16]:
        reader = BitReader(coded)
        return ours.decode(reader, symbols.size, ours.decode_lengths(reader, 32))

    def deflate() -> bytes:
        packer = zlib.compressobj(6, zlib.DEFLATED, -15, zlib.DEF_MEM_LEVEL, zlib.Z_HUFFMAN_ONLY)
        return packer.compress(plain) + packer.flush()

    coded, deflated = encode(), deflate()
    np.testing.assert_array_equal(decode(), symbols)
    encoding = alternate({"ours": encode, "theirs": deflate}, effort.repeats)
    decoding = alternate(
        {"ours": decode, "theirs": lambda: zlib.decompress(deflated, -15)}, effort.repeats
    )
    for what, found in (("encoding", encoding), ("decoding", decoding)):
        row(f"huffman: {what}, zlib's", 1 / found["ours"], 1 / found["theirs"], "MB/s")
    row("huffman: coded", len(coded), len(deflated), "bytes")
    ours_s, theirs_s = (encoding[side] + decoding[side] for side in ("ours", "theirs"))
    return {"huffman_ratio": theirs_s / ours_s}


COMPARISONS: dict[str, Callable[[Effort], dict[str, Any]]] = {
    "tucker": tucker,
    "decode": decode,
    "low_rank": low_rank,
    "popcount": popcount,
    "huffman": huffman,
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
