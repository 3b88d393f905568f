"""Jobs in other processes. The job is Python's own `exec`, its name the code that it runs."""

import signal
import subprocess
import sys
import time

import psutil
import pytest

from slimderm.flows.base.side_by_side import Crew

SHOW = """
import time
from slimderm.flows.base.terminal import progress_bar
with progress_bar("reading", 3) as update:
    update(2, "two of them")
    time.sleep(1)
print("read")
"""


def finished(crew):
    found = []
    while crew.running:
        found += crew.wait()
    return found


def test_jobs_run_side_by_side_and_their_words_come_back(capsys):
    meet = "import time; t = time.time(); time.sleep(0.5); print(t, time.time())"
    with Crew(2) as crew:
        for name in (meet, f"{meet} "):
            crew.submit(name, exec)
        (_, one), (_, other) = finished(crew)
    begun, ended = zip(*(map(float, text.split()) for text in (one, other)), strict=True)
    assert max(begun) < min(ended)
    assert one not in capsys.readouterr().out


def test_progress_is_drawn_here(capsys):
    with Crew(1) as crew:
        crew.submit(SHOW, exec)
        assert finished(crew) == [(SHOW, "read\n")]
    drawn = capsys.readouterr().out
    assert "2/3" in drawn
    assert "two of them" in drawn


def test_a_worker_keeps_what_it_has_imported():
    name = "import sys; print('nturl2path' in sys.modules); import nturl2path"
    with Crew(1) as crew:
        for code in (name, f"{name} "):
            crew.submit(code, exec)
        assert [text for _, text in finished(crew)] == ["False\n", "True\n"]


def test_a_job_that_fails_ends_the_wait_and_the_others():
    begun = time.monotonic()
    with pytest.raises(OSError, match="no such image"), Crew(2) as crew:
        crew.submit("import time; time.sleep(60)", exec)
        crew.submit("raise OSError('no such image')", exec)
        finished(crew)
    assert time.monotonic() - begun < 30


def test_workers_end_with_the_process_that_started_them():
    script = (
        "from slimderm.flows.base.side_by_side import Crew\n"
        "if __name__ == '__main__':\n"
        "    with Crew(1) as crew:\n"
        "        crew.submit('import os, time; print(os.getpid()); time.sleep(300)', exec)\n"
        "        print(*(p.pid for p in crew.pool._processes.values()), flush=True)\n"
        "        crew.wait()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as run:
        worker = psutil.Process(int(run.stdout.readline()))
        run.send_signal(signal.SIGKILL)
        gone, _ = psutil.wait_procs([worker], timeout=30)
    assert gone == [worker]
