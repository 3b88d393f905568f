"""Peak memory of the step ``sweep`` and its workers."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from hashlib import sha256
from itertools import cycle, islice
from pathlib import Path

import psutil
import yaml

from benchmarks.workspace import clone

HEADER = "image_id,lesion_id,dx,dx_type,age,sex,localization,file,sha256,label"
WORKERS = 2


def peak_memory(files: Sequence[Path], num_images: int, ranks: Sequence[int]) -> float:
    """Return the peak memory, in MB, of the sweep over `num_images` images with two workers.

    Parameters
    ----------
    files : sequence of Path
        JPEG files; they are taken again from the first where there are fewer than `num_images`.
    num_images : int
    ranks : sequence of int
        The k at which each image is measured.

    Raises
    ------
    RuntimeError
        If the step fails; the message holds its output.
    """
    params = {"compress": {"ranks": list(ranks)}, "record": {"workers": WORKERS}}
    with clone(yaml.safe_dump(params)) as folder:
        _write_raw(folder / "data/raw", files, num_images)
        # The clone's own code runs; nothing else on the path may stand before it.
        environment = os.environ | {"PYTHONPATH": str(folder)}
        command = [sys.executable, "-W", "ignore", "-m", "slimderm.flows.steps", "sweep"]
        peak = 0
        with (
            (folder / "said.txt").open("w") as said,
            subprocess.Popen(command, cwd=folder, env=environment, stdout=said) as run,
        ):
            while run.poll() is None:
                peak = max(peak, _memory_of_tree(run.pid))
                time.sleep(0.2)
        if run.returncode:
            message = (folder / "said.txt").read_text()
            raise RuntimeError(f"the sweep of {num_images} images failed:\n{message}")
    return peak / 1e6


def _write_raw(raw: Path, files: Sequence[Path], num_images: int) -> None:
    """Write what the step reads: links to the images, and their table."""
    (raw / "images").mkdir(parents=True)
    hashed = [(path, sha256(path.read_bytes()).hexdigest()) for path in files]
    rows = [HEADER]
    for index, (path, digest) in enumerate(islice(cycle(hashed), num_images)):
        place = raw / f"images/ISIC_{index:07d}.jpg"
        place.symlink_to(path.resolve())
        row = f"{place.stem},L{index},nv,histo,50,male,back,images/{place.name},{digest},nevus"
        rows.append(row)
    (raw / "catalog.csv").write_text("\n".join(rows) + "\n")


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
