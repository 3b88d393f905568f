"""The sweep beside what one would write instead: seconds an image, one core.

    python benchmarks/sweep.py FOLDER [--images 12] [--stream 500 5000]

FOLDER holds 600x450 images (any JPEG files); noise is put back into them (benchmarks/noise.py) and
they are written as the originals are. All three sides (benchmarks/sides.py) do the same work on the
same files: decode, truncate at six k, every metric once for each k against the original, encode
once for each k. The first reference (benchmarks/reference.py) decomposes anew for each k and
channel, the second once for each channel.

The last line is one JSON object:

- ``ratio_one_core_vs_naive``, ``ratio_one_core_vs_one_svd``: time of a reference over ours;
- ``scaling_two_cores``: throughput of two processes over that of one;
- ``scaling_limit``: the same of a loop of additions, so what these two cores allow;
- ``write_over_parts``: time of writing at one k over the sum of its parts;
- ``peak_mb_N``: peak memory of the sweep over N images with two workers, for each ``--stream``;
- ``images``: how many images were measured.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
import threadpoolctl

from benchmarks import reference
from benchmarks.memory import peak_memory
from benchmarks.noise import write_noisy
from benchmarks.scaling import scaling
from benchmarks.sides import JPEG, QUALITY, SETTINGS, SIDES, Clock
from slimderm.components.compression.svd import decompose
from slimderm.components.compression.write import compress_image
from slimderm.components.dataset.images import decode_image
from slimderm.components.quality.measure import Reference
from slimderm.components.quality.metrics import METRICS

RANKS = (100, 200, 300, 350, 400, 450)
PARTS = ("decode", "decompose", "truncate", "metrics", "encode")


def compare_sides(files: Sequence[Path], ranks: Sequence[int]) -> dict[str, Clock]:
    """Time each side on each file in turn, on one thread; print the table."""
    clocks = {name: Clock() for name in SIDES}
    with threadpoolctl.threadpool_limits(1):
        cv2.setNumThreads(1)
        for side in SIDES.values():
            side(files[0], ranks, Clock())  # compilers and caches
        for path in files:
            for name, side in SIDES.items():
                side(path, ranks, clocks[name])
    print(f"milliseconds an image, one core, {len(files)} images, k in {list(ranks)}\n")
    print(f"{'':10}" + "".join(f"{part:>11}" for part in (*PARTS, "in all", "ratio")))
    ours = clocks["SlimDerm"].total
    for name, clock in clocks.items():
        cells = [1000 * clock.seconds[part] / len(files) for part in PARTS]
        cells += [1000 * clock.total / len(files), clock.total / ours]
        print(f"{name:10}" + "".join(f"{cell:11.2f}" for cell in cells))
    floor = sum(clocks["SlimDerm"].seconds[part] for part in ("decode", "encode"))
    print(f"{'floor':10}{'decode and encode alone':>55}{1000 * floor / len(files):11.2f}\n")
    return clocks


def compare_values(files: Sequence[Path], ranks: Sequence[int]) -> None:
    """Print how far metrics and pixels are from the reference's."""
    worst, flips, most = dict.fromkeys(METRICS, 0.0), 0.0, 0
    ranges: dict[str, list[float]] = defaultdict(list)
    for path in files:
        image = decode_image(path.read_bytes())
        original = Reference(image, SETTINGS)
        expected = dict(zip(ranks, reference.truncations(image, ranks), strict=True))
        for k, slim in decompose(image).truncations(ranks):
            apart = np.abs(slim.astype(int) - expected[k])
            flips, most = max(flips, float((apart > 0).mean())), max(most, int(apart.max()))
            found, oracle = original.compare(slim), reference.compare(image, slim)
            for name in METRICS:
                worst[name] = max(worst[name], abs(found[name] - oracle[name]))
                ranges[name].append(oracle[name])
    print(f"largest difference from the reference on the same pairs, {len(files)} images\n")
    for name, value in worst.items():
        print(f"{name:24}{value:10.1e}   of a range of {np.ptp(ranges[name]):.1e}")
    print(f"{'pixels':24}{flips:10.1e}   of them differ at the worst k, by {most} at most\n")


def write_file(target: Path, data: bytes) -> None:
    """Write by a rename, as the stage does, so that no half of a file is ever under its name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.draft")
    draft.write_bytes(data)
    draft.replace(target)


def writing(files: Sequence[Path], folder: Path, k: int) -> float:
    """Time of writing at one k over the sum of its parts, taken one by one in the same run."""
    clock, whole, measured = Clock(), 0.0, 0.0
    settings: dict[str, Any] = {"k": k, "codec": "jpeg", "quality": QUALITY}

    def measure(image: Any, stored: Any) -> dict[str, float]:
        return Reference(image, SETTINGS).compare(stored)

    with threadpoolctl.threadpool_limits(1):
        cv2.setNumThreads(1)
        for path in files:
            with clock("decode"):
                image = decode_image(path.read_bytes())
            with clock("eigendecomposition"):
                decomposition = decompose(image)
            with clock("projection"):
                slim = decomposition.reconstruct(k)
            with clock("encode"):
                JPEG.encode(slim, QUALITY)
            start = time.perf_counter()
            stored, _ = compress_image(path.read_bytes(), **settings)
            write_file(folder / path.name, stored)
            whole += time.perf_counter() - start
            start = time.perf_counter()
            compress_image(path.read_bytes(), **settings, measure=measure)
            measured += time.perf_counter() - start
    print(f"writing at k = {k}, milliseconds an image: ", end="")
    print(", ".join(f"{p} {1000 * s / len(files):.1f}" for p, s in clock.seconds.items()), end="")
    print(f"; in all {1000 * whole / len(files):.1f}, ", end="")
    print(f"{1000 * measured / len(files):.1f} with every metric for the manifest\n")
    return whole / clock.total


def choose_files(source: Path, num_images: int, folder: Path) -> list[Path]:
    """Write up to `num_images` of a folder's images with noise, evenly spread over it."""
    chosen = sorted(source.rglob("*.jpg"))
    if not chosen:
        raise SystemExit(f"received {source}, expected a folder with .jpg files in it or below")
    step = max(1, len(chosen) // num_images)
    (folder / "some").mkdir()
    for path in chosen[::step][:num_images]:
        (folder / "some" / path.name).symlink_to(path.resolve())
    write_noisy(folder / "some", folder / "noisy", sigma=3.0)
    return sorted((folder / "noisy").iterdir())


def main() -> None:
    """Run every part and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--stream", type=int, nargs="+", default=(500, 5000))
    parser.add_argument("--ranks", type=int, nargs="+", default=RANKS)
    parser.add_argument("--k", type=int, default=350, help="at which images are written")
    parser.add_argument("--batch", type=int, default=80, help="images a round of the scaling")
    parser.add_argument("--rounds", type=int, default=3, help="of the scaling")
    options = parser.parse_args()
    ranks = options.ranks
    with tempfile.TemporaryDirectory() as name:
        files = choose_files(options.folder, options.images, Path(name))
        clocks = compare_sides(files, ranks)
        compare_values(files[:6], ranks)
        ours = clocks["SlimDerm"].total
        result: dict[str, float] = {
            "ratio_one_core_vs_naive": clocks["naive"].total / ours,
            "ratio_one_core_vs_one_svd": clocks["one SVD"].total / ours,
        }
        result["scaling_two_cores"], result["scaling_limit"] = scaling(
            files, ranks, num_images=options.batch, rounds=options.rounds
        )
        result["write_over_parts"] = writing(files, Path(name) / "out", options.k)
        for num_images in options.stream:
            peak = result[f"peak_mb_{num_images}"] = peak_memory(files, num_images, ranks)
            print(f"peak memory over {num_images} images: {peak:.0f} MB, two workers\n")
        result["images"] = len(files)
    print(json.dumps({key: round(value, 3) for key, value in result.items()}))


if __name__ == "__main__":
    main()
