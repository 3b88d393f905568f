"""Chunks on processes and on a Dask cluster: the same bytes, and nothing done twice for a death."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from functools import partial

import cv2
import numpy as np
import pandas as pd
import pytest

from slimderm.components.common.errors import ImageError, ParameterError, WorkerError
from slimderm.components.compression import codecs
from slimderm.components.compression.svd import decompose
from slimderm.components.dataset.images import decode_image
from slimderm.components.quality.settings import QualitySettings
from slimderm.components.quality.sweep import SweepTools, measure_chunk
from slimderm.flows.config.params import RecordSettings
from slimderm.flows.work.chunks import Chunk, run_chunks


def fill(folder, *, name, marks, seconds=0.0):
    """Mark the beginning, work, write the result, mark the end."""
    begun = marks / f"{name}.begun.{os.getpid()}.{time.time_ns()}"
    begun.touch()
    time.sleep(seconds)
    (folder / "result").write_text(name)
    begun.with_name(begun.name.replace("begun", "done")).touch()


def store(source, decomposition, k, image):
    return codecs.get("jpeg").encode(image, 90)


def measure(folder, *, image):
    tools = SweepTools((20, 60, 100), QualitySettings(), decompose, store, decode_image)
    measure_chunk([(image.stem, image)], tools).to_parquet(folder / "rows.parquet")


def sweep(cache, image):
    """A real chunk of the sweep, large enough for the linear algebra to want more threads."""
    if not image.exists():
        random = np.random.default_rng(0)
        cv2.imwrite(str(image), random.integers(0, 256, (150, 200, 3), dtype=np.uint8))
    return Chunk(cache, "e" * 32, partial(measure, image=image))


def fail(folder):
    raise ImageError("not an image")


def make(cache, marks, names, **more):
    return [
        Chunk(cache, f"{name:0>32}", partial(fill, name=name, marks=marks, **more))
        for name in names
    ]


def results(chunks):
    return [(chunk.folder / "result").read_text() for chunk in chunks]


@pytest.fixture
def marks(tmp_path):
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


RECORD = RecordSettings(workers=2)


def test_what_is_there_is_not_done_again(tmp_path, marks):
    chunks = make(tmp_path / "cache", marks, "abc")
    assert sorted(run_chunks(chunks[:1], RECORD)) == [0]
    assert sorted(run_chunks(chunks, RECORD)) == [0, 1, 2]
    assert next(run_chunks(chunks, RECORD)) == 0
    assert results(chunks) == ["a", "b", "c"]
    assert len(list(marks.glob("*.done.*"))) == 3


def test_a_chunk_that_fails_does_not_wait_for_those_behind_it(tmp_path, marks):
    slow = make(tmp_path / "cache", marks, [f"{i:02d}" for i in range(40)], seconds=0.1)
    broken = Chunk(tmp_path / "cache", "f" * 32, fail)
    with pytest.raises(ImageError, match="not an image"):
        list(run_chunks([broken, *slow], RecordSettings(workers=1)))
    assert len(list(marks.glob("*.done.*"))) < 40
    assert not broken.folder.exists()


def die(folder):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_is_said_and_what_was_done_is_kept(tmp_path, marks):
    finished = make(tmp_path / "cache", marks, "abc")
    deadly = Chunk(tmp_path / "cache", "f" * 32, die)
    with pytest.raises(WorkerError, match=r"a worker process .* finished work is kept"):
        list(run_chunks([*finished, deadly], RecordSettings(workers=1)))
    assert results(finished) == ["a", "b", "c"]
    assert not deadly.folder.exists()


def test_who_stops_listening_stops_the_work(tmp_path, marks):
    chunks = make(tmp_path / "cache", marks, [f"{i:02d}" for i in range(40)], seconds=0.1)
    for _ in run_chunks(chunks, RecordSettings(workers=1)):
        break
    assert len(list(marks.glob("*.done.*"))) < 40


def test_dask_needs_an_address():
    with pytest.raises(ParameterError, match="dask_address: received none"):
        RecordSettings(engine="dask")


def same(one, other):
    exact = [frame.drop(columns="ssim") for frame in (one, other)]
    pd.testing.assert_frame_equal(*exact, check_exact=True)
    # A process that compiles the kernels rounds it otherwise than one that finds them compiled.
    np.testing.assert_allclose(one["ssim"], other["ssim"], rtol=1e-7)


SCRIPT = """
import json, sys
from pathlib import Path
import test_chunks
from slimderm.flows.work.chunks import run_chunks
from slimderm.flows.config.params import RecordSettings

contact, cache, marks, seconds = sys.argv[1:]
address = json.loads(Path(contact).read_text())["address"]
chunks = test_chunks.make(Path(cache), Path(marks), "abcdef", seconds=float(seconds))
chunks.append(test_chunks.sweep(Path(cache), Path(marks).with_name("image.png")))
print(sorted(run_chunks(chunks, RecordSettings(engine="dask", dask_address=address))))
"""


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(900)
def test_a_worker_that_is_killed_costs_no_more_than_its_chunk(tmp_path, marks, start_cluster):
    cluster = start_cluster(tmp_path)
    try:
        command = [sys.executable, "-W", "ignore", "-c", SCRIPT]
        run = subprocess.Popen(
            [*command, cluster.contact, tmp_path / "cache", marks, "2"],
            env=cluster.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 400
        while not list(marks.glob("*.done.*")) or not list(marks.glob("c.begun.*")):
            assert run.poll() is None, run.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        victim = next(marks.glob("c.begun.*")).name.split(".")[2]  # whoever has just begun it
        os.kill(int(victim), signal.SIGKILL)
        out, errors = run.communicate(timeout=400)
    finally:
        cluster.stop()
    assert run.returncode == 0, errors
    assert out.splitlines()[-1] == "[0, 1, 2, 3, 4, 5, 6]"
    chunks = make(tmp_path / "cache", marks, "abcdef")
    assert results(chunks) == list("abcdef")
    begun = [path.name.split(".") for path in marks.glob("*.begun.*")]
    done = [path.name.split(".") for path in marks.glob("*.done.*")]
    assert sorted(name for name, *_ in done) == list("abcdef")  # nothing finished was done again
    assert len(begun) == 7
    lost = [pid for name, _, pid, _ in begun if [name, pid] not in [[n, p] for n, _, p, _ in done]]
    assert lost == [victim]
    assert not list((tmp_path / "cache").rglob(".*.draft/result"))
    there, here = (sweep(tmp_path / cache, tmp_path / "image.png") for cache in ("cache", "here"))
    assert list(run_chunks([here], RECORD)) == [0]
    rows = [pd.read_parquet(chunk.folder / "rows.parquet") for chunk in (there, here)]
    same(*rows)


@pytest.fixture
def deployed(made_workspace, free_port):
    """A clone whose sweep ran on processes, and the servers that its deployments run on."""
    workspace = made_workspace()
    workspace.environment |= {"MLFLOW_PORT": free_port(), "PREFECT_PORT": (port := free_port())}
    workspace.run("python", "-m", "slimderm", "up")
    workspace.environment["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    yield workspace
    workspace.run("python", "-m", "slimderm", "down")


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(1200)
def test_a_deployment_runs_its_step_on_the_cluster(deployed, tmp_path, wait_until, start_cluster):
    table = deployed.folder / "data/sweep/measurements.parquet"
    here = pd.read_parquet(table)
    shutil.rmtree(table.parent)
    shutil.rmtree(deployed.folder / ".cache")
    cluster = start_cluster(tmp_path)
    try:
        address = json.loads(cluster.contact.read_text())["address"]
        form = ["--param", 'engine="dask"', "--param", f'dask_address="{address}"']
        said = deployed.run("prefect", "deployment", "run", "step/sweep", *form).stdout
        run = re.search(r"UUID: (\S+)", said)[1]
        final = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
        wait_until(lambda: deployed.ask(f"/flow_runs/{run}")["state_type"] in final, 600, pause=1)
    finally:
        cluster.stop()
    ended = deployed.ask(f"/flow_runs/{run}")
    assert ended["state_type"] == "COMPLETED", ended["state"]["message"]
    chunks = deployed.ask("/task_runs/filter", {"task_runs": {"name": {"like_": "chunk "}}})
    number = math.ceil(here["image_id"].nunique() / 16)  # tiny parameters: 16 images a chunk
    assert sorted(chunk["name"] for chunk in chunks) == [f"chunk {i}" for i in range(number)]
    assert {chunk["state_type"] for chunk in chunks} == {"COMPLETED"}
    same(here, pd.read_parquet(table))
    assert deployed.run("dvc", "status", "sweep").stdout.strip().endswith("up to date.")
