"""Jobs in other processes. The job is Python's own `exec`, its name the code that it runs."""

import signal
import subprocess
import sys
import time

import psutil
import pytest

from slimderm.flows.base.side_by_side import WorkerPool

SHOW = """
import time
from slimderm.flows.base.terminal import progress_bar
with progress_bar("reading", 3) as update:
    update(2, "two of them")
    time.sleep(1)
print("read")
"""


def finished(workers):
    found = []
    while workers.running:
        found += workers.wait()
    return found


MEET = """
import time
from pathlib import Path

here = Path({folder!r})
(here / {own!r}).touch()
until = time.monotonic() + 60
while not (here / {other!r}).exists():
    assert time.monotonic() < until
    time.sleep(0.01)
print({own!r}, "met", {other!r})
"""


def test_jobs_run_side_by_side_and_their_words_come_back(capsys, tmp_path):
    with WorkerPool(2) as workers:
        for own, other in (("one", "two"), ("two", "one")):
            workers.submit(MEET.format(folder=str(tmp_path), own=own, other=other), exec)
        said = {text for _, text in finished(workers)}
    assert said == {"one met two\n", "two met one\n"}
    assert "met" not in capsys.readouterr().out


def test_progress_is_drawn_here(capsys):
    with WorkerPool(1) as workers:
        workers.submit(SHOW, exec)
        assert finished(workers) == [(SHOW, "read\n")]
    drawn = capsys.readouterr().out
    assert "2/3" in drawn
    assert "two of them" in drawn


def test_a_worker_keeps_what_it_has_imported():
    name = "import sys; print('nturl2path' in sys.modules); import nturl2path"
    with WorkerPool(1) as workers:
        for code in (name, f"{name} "):
            workers.submit(code, exec)
        assert [text for _, text in finished(workers)] == ["False\n", "True\n"]


def test_a_job_that_fails_ends_the_wait_and_the_others():
    begun = time.monotonic()
    with pytest.raises(OSError, match="no such image"), WorkerPool(2) as workers:
        workers.submit("import time; time.sleep(60)", exec)
        workers.submit("raise OSError('no such image')", exec)
        finished(workers)
    assert time.monotonic() - begun < 30


def test_workers_end_with_the_process_that_started_them():
    script = (
        "from slimderm.flows.base.side_by_side import WorkerPool\n"
        "if __name__ == '__main__':\n"
        "    with WorkerPool(1) as workers:\n"
        "        workers.submit('import os, time; print(os.getpid()); time.sleep(300)', exec)\n"
        "        print(*(p.pid for p in workers.pool._processes.values()), flush=True)\n"
        "        workers.wait()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as run:
        worker = psutil.Process(int(run.stdout.readline()))
        run.send_signal(signal.SIGKILL)
        gone, _ = psutil.wait_procs([worker], timeout=30)
    assert gone == [worker]
