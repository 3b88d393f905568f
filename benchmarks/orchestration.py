"""What Prefect, MLflow and DVC cost beside the work they keep a record of.

::

    python benchmarks/orchestration.py [--images 1000]

In clones of their own it makes images and measures

- overhead: the step ``sweep`` as its deployment runs it (Prefect server, DVC's ledger, the table to
  MLflow) over the same chunks measured by calling the components, both on two processes, on images
  of HAM10000's size; once each and once more in the other order, as a machine may tire;
- cold start: from the start of a process until a flow's first task runs, with a server and without;
- ``dvc repro`` of a whole pipeline where nothing is stale, and whether it imports TensorFlow; on as
  many small images.

About 16 to 23 minutes on two cores. Tables come first. The last line is one JSON object:
``overhead`` (0.05 is 5 %), ``cold_s`` (``server`` and ``no_server``), ``noop_repro_s`` and
``noop_imports_tensorflow``.
"""

import argparse
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.workspace import clone

PARAMS = """\
networks: [lenet5]
synthetic: {{num_lesions: {lesions}, num_negatives: 8, height: {height}, width: {width},
            seed: 0}}
ingest: {{source: data/source, negatives: data/source/negatives}}
split: {{seed: 0}}
quality: {{changed_threshold: 5}}
sweep: {{chunk_size: 32}}
choose: {{rule: stabilisation}}
compress: {{ranks: {ranks}, codec: jpeg, quality: 95}}
storage: {{max_images: 2, qualities: {{jpeg: [60, 95]}}}}
resize: {{size: [32, 24], sizes: [[32, 24], [16, 40]], max_images: 4}}
train: {{epochs: 1}}
evaluate: {{bootstrap_samples: 100, latency_repeats: 3}}
prune: {{schedule: path, path: ["R1: 50%"], acceptance: relative, relative_tolerance: 0.9,
        relative_floor: 0.0}}
studies: {{}}
slim: {{}}
record: {{tracking_uri: "sqlite:///mlflow.db", workers: 2}}
"""
FIRST_TASK = """\
import time
from prefect import flow, task
from slimderm.flows.servers.embedded import embedded_server
from slimderm.flows.pipeline import pipeline
@task
def first(): print("first task", time.time())
@flow
def cold(): first()
with embedded_server(): cold()
"""
NOOP = """\
import sys
from dvc.cli import main
status = main(["repro", "-q"])
print("tensorflow" in sys.modules, "keras" in sys.modules)
sys.exit(status)
"""
RANK_SHARES = (2 / 9, 4 / 9, 6 / 9, 7 / 9, 8 / 9, 1)  # k = 100 to 450 of 450 rows
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


@contextlib.contextmanager
def in_clone(images: int, height: int) -> Iterator[None]:
    """Let a clone that draws images of `height`, a third wider, be the current folder."""
    params = PARAMS.format(
        lesions=max(30, round(images / 1.4)),  # of 1, 2 or 3 images a lesion, 1.4 on average
        height=height,
        width=height * 4 // 3,
        ranks=[round(height * share) for share in RANK_SHARES],
    )
    with clone(params) as folder, contextlib.chdir(folder):
        yield


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Run a Prefect server; yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    address = f"http://127.0.0.1:{port}/api"
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", port]
    process = subprocess.Popen(command, **QUIET)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{address}/health", timeout=2).close()
                break
            time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait()


def cold_start(address: str | None, repeats: int) -> float:
    """Seconds from the start of a process until its first task runs; the median of some."""
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    if address:
        environment["PREFECT_API_URL"] = address
    found = []
    for _ in range(repeats):
        begun = time.time()
        done = subprocess.run(
            [sys.executable, "-c", FIRST_TASK],
            env=environment | {"PYTHONPATH": str(Path.cwd())},
            capture_output=True,
            text=True,
            check=True,
        )
        line = next(line for line in done.stdout.splitlines() if line.startswith("first task"))
        found.append(float(line.split()[-1]) - begun)
    return statistics.median(found)


def nothing_to_do() -> tuple[float, bool]:
    """Seconds of ``dvc repro`` with nothing stale, and whether it imports TensorFlow or Keras."""
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", NOOP], capture_output=True, text=True, check=True)
    return time.monotonic() - begun, "True" in done.stdout


def by_hand(workers: int) -> float:
    """Seconds of the sweep as calls of the components."""
    from slimderm.components.common.workers import process_pool
    from slimderm.components.dataset.catalog import read_catalog
    from slimderm.components.quality.sweep import measure_chunk, summarise
    from slimderm.flows.config.params import read_params
    from slimderm.flows.work.sweep import sweep_tools

    params = read_params()
    begun = time.monotonic()
    catalog = read_catalog(Path("data/raw")).sort_values("image_id")
    images = [(row.image_id, Path("data/raw", row.file).resolve()) for row in catalog.itertuples()]
    size, bench = params.sweep.chunk_size, sweep_tools(params)
    with process_pool(workers) as pool:
        chunks = [images[start : start + size] for start in range(0, len(images), size)]
        futures = [pool.submit(measure_chunk, chunk, bench) for chunk in chunks]
        table = pd.concat([future.result() for future in futures])
    summarise(table).to_csv("by-hand.csv")
    return time.monotonic() - begun


def recorded() -> float:
    """Seconds of the sweep as a deployment runs it, its table sent to MLflow."""
    from slimderm.components.common.cache import content_key
    from slimderm.flows.config.params import read_params
    from slimderm.flows.pipeline import step_of
    from slimderm.flows.record.mlflow_store import Tracker

    for made in ("data/sweep", ".cache"):
        shutil.rmtree(made, ignore_errors=True)
    begun = time.monotonic()
    ran = step_of("sweep")()
    tracker = Tracker(read_params().record)
    key = content_key(benchmark=begun)
    with tracker.child(tracker.parent(key, "benchmark", {}), key + "1", "sweep", {}) as run:
        run.artifacts(Path("data/sweep"))
    assert ran == ["sweep"], ran
    return time.monotonic() - begun


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--height", type=int, default=450, help="of the sweep's images, in pixels")
    parser.add_argument("--small-height", type=int, default=150, help="of the pipeline's images")
    parser.add_argument("--repeats", type=int, default=3, help="of each cold start")
    options = parser.parse_args()
    with in_clone(options.images, options.small_height):
        made = [sys.executable, "-m", "slimderm", "run"]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
        noop, imports = nothing_to_do()
        without = cold_start(None, options.repeats)
        with server() as address:
            with_server = cold_start(address, options.repeats)
    with in_clone(options.images, options.height), server() as address:
        subprocess.run(["dvc", "repro", "-q", "ingest"], check=True)
        os.environ["PREFECT_API_URL"] = address
        os.environ["PREFECT_LOGGING_LEVEL"] = "ERROR"
        import mlflow  # noqa: F401  imports and start-up apart

        import slimderm.flows.pipeline  # noqa: F401
        from slimderm.flows.config.params import read_params
        from slimderm.flows.record.mlflow_store import Tracker

        Tracker(read_params().record)  # makes MLflow's database
        number = sum(1 for _ in Path("data/raw/images").iterdir())
        legs = [by_hand(2), recorded(), recorded(), by_hand(2)]
        direct, kept = (legs[0] + legs[3]) / 2, (legs[1] + legs[2]) / 2
    print("the four sweeps, in order: " + ", ".join(f"{seconds:.1f} s" for seconds in legs))
    print(f"sweep of {number} images by calling the components    {direct:7.1f} s")
    print(f"the same through Prefect, DVC and MLflow             {kept:7.1f} s")
    print(f"cold start to the first task, a server running       {with_server:7.1f} s")
    print(f"cold start to the first task, no server              {without:7.1f} s")
    print(f"dvc repro, nothing stale                             {noop:7.1f} s")
    found = {
        "overhead": kept / direct - 1,
        "cold_s": {"server": with_server, "no_server": without},
        "noop_repro_s": noop,
        "noop_imports_tensorflow": imports,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
