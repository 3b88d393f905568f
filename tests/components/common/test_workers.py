"""A pool's processes: one thread each, and their imports there when they begin."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import threadpoolctl

from slimderm.components.common import workers
from slimderm.components.common.workers import process_pool


def threads():
    return {pool["num_threads"] for pool in threadpoolctl.threadpool_info()} | {cv2.getNumThreads()}


def test_each_process_takes_one_thread():
    with process_pool(2) as pool:
        assert [future.result() for future in [pool.submit(threads) for _ in range(4)]] == [{1}] * 4


# How each kind of process of ours begins; linear algebra and OpenCV are loaded before or after.
LOAD = "import cv2, numpy, scipy.linalg, threadpoolctl\n"
SAY = """\
found = threadpoolctl.threadpool_info()
print({each["num_threads"] for each in found if each["user_api"] == "blas"}, cv2.getNumThreads())
"""
BEGINNINGS = {
    "a command or a stage of DVC": """
from slimderm.flows.base.terminal import command_line
with command_line():
    pass
""",
    "a flow that Prefect starts": """
from slimderm.flows.base.keras_loader import load_keras
load_keras()
""",
    "a chunk on a cluster": """
import pathlib, tempfile
from slimderm.flows.work.chunks import Chunk
Chunk(pathlib.Path(tempfile.mkdtemp()), "key", lambda folder: None).run()
""",
}
WORKER = """\
from slimderm.flows.base.side_by_side import WorkerPool
import count
if __name__ == "__main__":
    with WorkerPool(1) as pool:
        pool.submit("job", count.say)
        print(pool.wait()[0][1])
"""


@pytest.mark.parametrize("beginning", BEGINNINGS)
@pytest.mark.parametrize("loaded", ["before", "after"])
def test_linear_algebra_has_one_thread_in_every_process_of_ours(beginning, loaded, tmp_path):
    parts = (LOAD, BEGINNINGS[beginning]) if loaded == "before" else (BEGINNINGS[beginning], LOAD)
    assert said_by("".join(parts) + SAY, tmp_path) == "{1} 1"


def test_linear_algebra_has_one_thread_where_networks_are_trained_side_by_side(tmp_path):
    body = "".join(f"    {line}\n" for line in (LOAD + SAY).splitlines())
    (tmp_path / "count.py").write_text(f"def say(name):\n{body}")
    assert said_by(WORKER, tmp_path) == "{1} 1"


def test_a_process_that_one_of_ours_starts_takes_one_thread_too(tmp_path):
    ask = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {LOAD + SAY!r}])"
    assert said_by(BEGINNINGS["a command or a stage of DVC"] + ask, tmp_path) == "{1} 1"


def said_by(code, folder):
    """What a script prints in a process of its own, without what this one has set."""
    (folder / "script.py").write_text(code)
    kept = {name: text for name, text in os.environ.items() if name not in workers.VARIABLES}
    kept["PYTHONPATH"] = str(Path(__file__).parents[3])
    command = [sys.executable, "script.py"]
    done = subprocess.run(
        command, cwd=folder, env=kept, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


ASK = """\
from slimderm.components.common.workers import process_pool
for modules in ((), ("colorsys",)):  # nothing else imports it
    with process_pool(1, modules) as pool:
        print(pool.submit(eval, "'colorsys' in __import__('sys').modules").result())
    if not modules:  # the process that they are forks of is started once
        from multiprocessing.forkserver import _forkserver
        _forkserver._stop()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each process imports for itself")
def test_what_the_work_imports_is_there_when_a_process_begins():
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
