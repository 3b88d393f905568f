"""The sweep beside what one would write instead: seconds an image, one core.

    python benchmarks/sweep.py FOLDER [--images 12] [--stream 500 5000]

FOLDER holds 600x450 images (any JPEG files); noise is put back into them (benchmarks/noise.py) and
they are written as the originals are. All three sides do the same work on the same files: decode,
truncate at six k, every metric once for each k against the original, encode once for each k.
The first reference (benchmarks/reference.py) decomposes anew for each k and channel, the second
once for each channel. The last line is one JSON object.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
import psutil
import threadpoolctl

from benchmarks import reference
from benchmarks.noise import write_noisy
from slimderm.components.common.workers import process_pool
from slimderm.components.compression import codecs
from slimderm.components.compression.svd import decompose
from slimderm.components.compression.write import compress_image, write_file
from slimderm.components.dataset.images import decode_image
from slimderm.components.quality.measure import Reference
from slimderm.components.quality.metrics import METRICS
from slimderm.components.quality.settings import QualitySettings

RANKS = (100, 200, 300, 350, 400, 450)
SETTINGS = QualitySettings()
JPEG = codecs.get("jpeg")
QUALITY, RANK = 95, 350
PARTS = ("decode", "decompose", "truncate", "metrics", "encode")


class Clock:
    """Seconds by name of the part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        """Add what the block takes to `part`."""
        start = time.perf_counter()
        yield
        self.seconds[part] += time.perf_counter() - start

    @property
    def total(self) -> float:
        """Seconds of all parts."""
        return sum(self.seconds.values())


def naive(path: Path, clock: Clock) -> None:
    """Decompose for each k."""
    with clock("decode"):
        image = decode_image(path.read_bytes())
    for k in RANKS:
        with clock("decompose"):
            slim = reference.truncate(image, k)
        with clock("metrics"):
            reference.compare(image, slim)
        with clock("encode"):
            JPEG.encode(slim, QUALITY)


def one_svd(path: Path, clock: Clock) -> None:
    """Decompose once."""
    with clock("decode"):
        image = decode_image(path.read_bytes())
    truncations = reference.truncations(image, RANKS)
    for _ in RANKS:
        with clock("decompose"):
            slim = next(truncations)
        with clock("metrics"):
            reference.compare(image, slim)
        with clock("encode"):
            JPEG.encode(slim, QUALITY)


def engine(path: Path, clock: Clock) -> None:
    """Do the same by SlimDerm's components."""
    with clock("decode"):
        image = decode_image(path.read_bytes())
    with clock("decompose"):
        decomposition = decompose(image)
    with clock("metrics"):
        original = Reference(image, SETTINGS)
    truncations = decomposition.truncations(RANKS)
    for _ in RANKS:
        with clock("truncate"):
            _, slim = next(truncations)
        with clock("metrics"):
            original.compare(slim)
        with clock("encode"):
            JPEG.encode(slim, QUALITY)


SIDES: dict[str, Callable[[Path, Clock], None]] = {
    "naive": naive,
    "one SVD": one_svd,
    "SlimDerm": engine,
}


def work(path: Path) -> None:
    """One image, for a pool."""
    engine(path, Clock())


def spin(_: Path) -> int:
    """Arithmetic that touches no memory, for about as long: what the machine itself allows."""
    return sum(range(6_000_000))


def compare_sides(files: list[Path]) -> dict[str, Clock]:
    """Time each side on each file in turn, on one thread; print the table."""
    clocks = {name: Clock() for name in SIDES}
    with threadpoolctl.threadpool_limits(1):
        cv2.setNumThreads(1)
        for side in SIDES.values():
            side(files[0], Clock())  # compilers and caches
        for path in files:
            for name, side in SIDES.items():
                side(path, clocks[name])
    print(f"milliseconds an image, one core, {len(files)} images, k in {list(RANKS)}\n")
    print(f"{'':10}" + "".join(f"{part:>11}" for part in (*PARTS, "in all", "ratio")))
    ours = clocks["SlimDerm"].total
    for name, clock in clocks.items():
        cells = [1000 * clock.seconds[part] / len(files) for part in PARTS]
        cells += [1000 * clock.total / len(files), clock.total / ours]
        print(f"{name:10}" + "".join(f"{cell:11.2f}" for cell in cells))
    floor = sum(clocks["SlimDerm"].seconds[part] for part in ("decode", "encode"))
    print(f"{'floor':10}{'decode and encode alone':>55}{1000 * floor / len(files):11.2f}\n")
    return clocks


def compare_values(files: list[Path]) -> None:
    """Print how far metrics and pixels are from the reference's."""
    worst, flips, most = dict.fromkeys(METRICS, 0.0), 0.0, 0
    ranges: dict[str, list[float]] = defaultdict(list)
    for path in files:
        image = decode_image(path.read_bytes())
        original = Reference(image, SETTINGS)
        expected = dict(zip(RANKS, reference.truncations(image, RANKS), strict=True))
        for k, slim in decompose(image).truncations(RANKS):
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


def scaling(files: list[Path], rounds: int = 3) -> float:
    """Throughput of two processes over that of one, warm, in turns; the median of some rounds."""
    batch = list(islice(cycle(files), 80))
    found: dict[str, list[float]] = defaultdict(list)
    rates: dict[int, float] = {}
    with process_pool(1) as one, process_pool(2) as two:
        for pool in (one, two):
            list(pool.map(work, files[:4] * 2))
        for _ in range(rounds):
            for task in (work, spin):
                for workers, pool in ((1, one), (2, two)):
                    start = time.perf_counter()
                    list(pool.map(task, batch, chunksize=2))
                    rates[workers] = len(batch) / (time.perf_counter() - start)
                found[task.__name__].append(rates[2] / rates[1])
    medians = {name: float(np.median(values)) for name, values in found.items()}
    print(f"two processes over one: {medians['work']:.2f}; of a loop of additions that touches")
    print(f"no memory, on the same cores in turn: {medians['spin']:.2f}\n")
    return medians["work"]


def writing(files: list[Path], folder: Path) -> float:
    """Time of writing at one k over the sum of its parts, taken one by one in the same run."""
    clock, whole, measured = Clock(), 0.0, 0.0
    settings: dict[str, Any] = {"k": RANK, "codec": "jpeg", "quality": QUALITY}

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
                slim = decomposition.reconstruct(RANK)
            with clock("encode"):
                JPEG.encode(slim, QUALITY)
            start = time.perf_counter()
            stored, _ = compress_image(path.read_bytes(), **settings)
            write_file(folder / path.name, stored)
            whole += time.perf_counter() - start
            start = time.perf_counter()
            compress_image(path.read_bytes(), **settings, measure=measure)
            measured += time.perf_counter() - start
    print("writing at k = 350, milliseconds an image: ", end="")
    print(", ".join(f"{p} {1000 * s / len(files):.1f}" for p, s in clock.seconds.items()), end="")
    print(f"; in all {1000 * whole / len(files):.1f}, ", end="")
    print(f"{1000 * measured / len(files):.1f} with every metric for the manifest\n")
    return whole / clock.total


def peak_memory(files: list[Path], num_images: int) -> float:
    """Peak memory in MB of the sweep step and its workers over `num_images` images."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data/raw/images").mkdir(parents=True)
        rows = ["image_id,lesion_id,dx,dx_type,age,sex,localization,file,sha256,label"]
        for index, path in enumerate(islice(cycle(files), num_images)):
            place = folder / f"data/raw/images/ISIC_{index:07d}.jpg"
            place.symlink_to(path.resolve())
            stem = place.stem
            rows.append(f"{stem},L{index},nv,histo,50,male,back,images/{place.name},{stem},nevus")
        (folder / "data/raw/catalog.csv").write_text("\n".join(rows) + "\n")
        (folder / "params.yaml").write_text("record: {workers: 2}\n")
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
        command = [sys.executable, "-W", "ignore", "-m", "slimderm.flows.steps", "sweep"]
        with subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.DEVNULL
        ) as run:
            peak = 0
            while run.poll() is None:
                peak = max(peak, _memory_of_tree(run.pid))
                time.sleep(0.2)
        if run.returncode:
            raise RuntimeError(f"the sweep of {num_images} images ended with {run.returncode}")
    return peak / 1e6


def _memory_of_tree(pid: int) -> int:
    """Bytes that a process and those below it hold alone or share (each counted once)."""
    total = 0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            total += process.memory_full_info().pss
    except psutil.NoSuchProcess:
        return total
    return total


def main() -> None:
    """Run every part and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--stream", type=int, nargs=2, default=(500, 5000))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        noisy, out = Path(name) / "noisy", Path(name) / "out"
        chosen = sorted(arguments.folder.rglob("*.jpg"))
        if not chosen:
            parser.error(f"{arguments.folder}: no .jpg file in it or below")
        step = max(1, len(chosen) // arguments.images)
        for path in chosen[::step][: arguments.images]:
            (Path(name) / "some").mkdir(exist_ok=True)
            (Path(name) / "some" / path.name).symlink_to(path.resolve())
        write_noisy(Path(name) / "some", noisy, sigma=3.0)
        files = sorted(noisy.iterdir())
        clocks = compare_sides(files)
        compare_values(files[:6])
        result = {
            "ratio_one_core_vs_naive": clocks["naive"].total / clocks["SlimDerm"].total,
            "ratio_one_core_vs_one_svd": clocks["one SVD"].total / clocks["SlimDerm"].total,
            "scaling_two_cores": scaling(files),
            "write_over_parts": writing(files, out),
        }
        for num_images in arguments.stream:
            result[f"peak_mb_{num_images}"] = peak_memory(files, num_images)
            print(f"peak memory over {num_images} images: ", end="")
            print(f"{result[f'peak_mb_{num_images}']:.0f} MB, two workers\n")
        result["images"] = len(files)
    print(json.dumps({key: round(value, 3) for key, value in result.items()}))


if __name__ == "__main__":
    main()
