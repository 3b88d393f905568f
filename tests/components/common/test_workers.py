"""A pool's processes: one thread each, and their imports there when they begin."""

import subprocess
import sys

import cv2
import pytest
import threadpoolctl

from slimderm.components.common.workers import process_pool


def threads():
    return {pool["num_threads"] for pool in threadpoolctl.threadpool_info()} | {cv2.getNumThreads()}


def test_each_process_takes_one_thread():
    with process_pool(2) as pool:
        assert [future.result() for future in [pool.submit(threads) for _ in range(4)]] == [{1}] * 4


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
