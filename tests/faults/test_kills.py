"""Killed and started again: in the sweep, in training and in pruning.

In `make soak` KILLS times, at seeded random moments.
"""

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request

import pytest
import yaml

pytestmark = [pytest.mark.slow, pytest.mark.integration]
if "KILLS" in os.environ:
    pytestmark.append(pytest.mark.timeout(4 * 3600))
else:
    pytestmark.append(pytest.mark.timeout(1200))

SECONDS = (1.0, 45.0)  # after a start
DVC, RUN, FLOW = (
    ["dvc", "repro"],
    [sys.executable, "-m", "slimderm", "run"],
    [sys.executable, "-m", "slimderm", "flow"],
)
MOMENTS = (
    (DVC, lambda clone: len(pieces(clone)) >= 2),  # in the sweep
    (
        RUN,  # in training
        lambda clone: (clone / "data/compressed").exists() and len(pieces(clone, "model.keras")),
    ),
    (
        FLOW,  # in pruning
        lambda clone: (
            (clone / "models/lenet5/baseline").exists() and len(pieces(clone, "model.keras")) >= 3
        ),
    ),
)
KILLS = int(os.environ.get("KILLS", len(MOMENTS)))
MADE = ("data", "models", "reports", ".cache", "dvc.lock", "mlflow.db", "mlartifacts")


@pytest.fixture(scope="module")
def workspace(make_workspace, soak, free_port, wait_until):
    """A clone beside a Prefect server; MLflow is the embedded one, killed with the run."""
    made = make_workspace(soak)
    port = free_port()
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", port]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, env=made.environment, start_new_session=True, **quiet)
    made.environment["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    health = f"{made.environment['PREFECT_API_URL']}/health"
    wait_until(lambda: urllib.request.urlopen(health, timeout=2).close() or True, 120)
    yield made
    os.killpg(server.pid, signal.SIGTERM)
    server.wait()


def pieces(clone, holding=""):
    """The finished pieces of work in the cache, that hold a file."""
    return [
        path for path in (clone / ".cache/slimderm").glob("??/[!.]*") if (path / holding).exists()
    ]


def finished(workspace):
    """Every finished piece of work, with when it was finished."""
    clone = workspace.folder
    work = pieces(clone)
    with contextlib.suppress(FileNotFoundError):
        stages = yaml.safe_load((clone / "dvc.lock").read_text())["stages"]
        work += [
            clone / out["path"]
            for name, stage in stages.items()
            if name not in ("register", "review")  # they ask MLflow anew, as they must
            for out in stage["outs"]
        ]
    return {path: path.stat().st_mtime_ns for path in work}


def planned(workspace, kills, chance):
    """What runs next, and what tells that it is to be killed."""
    if kills == KILLS:
        return chance.choice((DVC, RUN, FLOW)), lambda: False
    if "KILLS" not in os.environ:
        route, reached = MOMENTS[kills]
        return route, lambda: reached(workspace.folder)
    end = time.monotonic() + chance.uniform(*SECONDS)
    return chance.choice((DVC, RUN, FLOW)), lambda: time.monotonic() > end


def ended(workspace, route, reached):
    """Start a run, kill it with all its children once it is time; tell whether it ended before."""
    with workspace.start(*route) as process:
        while True:
            try:
                said, _ = process.communicate(timeout=0.1)
            except subprocess.TimeoutExpired:
                if reached():
                    os.killpg(process.pid, signal.SIGKILL)
                    return False
            else:
                assert process.returncode == 0, said
                return True


def test_killed_it_ends_as_if_undisturbed(workspace, undisturbed, outcome):
    chance = random.Random(0)
    kills = lives = 0
    begun = time.monotonic()
    while kills < KILLS:
        for name in MADE:
            path = workspace.folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        shutil.rmtree(workspace.folder / ".dvc/cache", ignore_errors=True)
        known = {}
        while True:
            if ended(workspace, *planned(workspace, kills, chance)):
                break
            kills += 1
            known = finished(workspace) | known
        lives += 1
        check(workspace, undisturbed, known)
    minutes = (time.monotonic() - begun) / 60
    outcome(
        f"process group killed {kills} times, "
        "`dvc repro`, `make run` and the Prefect flow by turns",
        f"{lives} runs ended with the undisturbed tables; nothing finished was done twice, no run "
        f"left RUNNING, no draft left ({minutes:.0f} minutes)",
    )


def check(workspace, undisturbed, known):
    workspace.check(undisturbed)
    after = finished(workspace)
    assert {path: after.get(path) for path in known} == known
    with contextlib.closing(sqlite3.connect(workspace.folder / "mlflow.db")) as record:
        assert record.execute("select name from runs where status = 'RUNNING'").fetchall() == []
        keys = "select value, count(*) from tags join runs using (run_uuid) where status = "
        keys += "'FINISHED' and key = 'slimderm.key' group by value having count(*) > 1"
        assert record.execute(keys).fetchall() == []
    drafts = (path for path in workspace.folder.rglob(".*.draft") if ".git" not in path.parts)
    assert not list(drafts)
