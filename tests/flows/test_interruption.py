"""A run that is killed and started again finishes, and does nothing finished a second time."""

import os
import shutil
import signal
import sys
import time

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(900)]


def finished(workspace):
    """Each finished piece of work in the cache, with when it was finished."""
    cache = workspace.folder / ".cache" / "slimderm"
    folders = (path for path in cache.glob("??/*") if not path.name.startswith("."))
    return {path: path.stat().st_mtime_ns for path in folders}


RUN = (sys.executable, "-m", "slimderm", "run")  # one process, where `dvc repro` starts fifteen


def kill_when(workspace, condition, command):
    deadline = time.monotonic() + 300
    with workspace.start(*command) as process:
        while not condition(workspace):
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)


MOMENTS = {
    "in the sweep": lambda w: len(finished(w)) >= 2,
    "in training": lambda w: (
        (w.folder / "data/compressed").exists()
        and list((w.folder / ".cache/slimderm").glob("??/*/model.keras"))
    ),
    "in pruning": lambda w: (
        (w.folder / "models/lenet5/baseline").exists()
        and len(list((w.folder / ".cache/slimderm").glob("??/*/model.keras"))) >= 3
    ),
}

ROUTES = {"in the sweep": ("dvc", "repro"), "in training": RUN, "in pruning": RUN}


def test_a_run_killed_again_and_again_goes_on_where_it_was(make_workspace):
    workspace = make_workspace()
    before = {}
    for moment, reached in MOMENTS.items():
        kill_when(workspace, reached, ROUTES[moment])
        now = finished(workspace)
        assert now.keys() > before.keys(), moment
        before = now | before
    workspace.run(*RUN)
    after = finished(workspace)
    assert {path: after[path] for path in before} == before
    drafts = [
        *(workspace.folder / ".cache").rglob(".*.draft"),
        *workspace.folder.glob("*/.*.draft"),
    ]
    assert not drafts
    assert workspace.run("dvc", "status").stdout.strip() == "Data and pipelines are up to date."
    script = (
        "import mlflow; mlflow.set_tracking_uri('sqlite:///mlflow.db');"
        "runs = mlflow.search_runs(search_all_experiments=True, output_format='list');"
        "print(sum(run.info.status == 'RUNNING' for run in runs))"
    )
    assert workspace.run("python", "-c", script).stdout.strip() == "0"


def test_a_touched_image_reruns_what_depends_on_it(made_workspace):
    workspace = made_workspace()
    own = workspace.folder / "own"
    shutil.copytree(workspace.folder / "data/source", own)
    params = workspace.folder / "params.yaml"
    text = params.read_text().replace("source: data/source,", "source: own,")
    params.write_text(text.replace("negatives: data/source/negatives", "negatives: own/negatives"))
    workspace.run(*RUN)
    image = sorted(own.rglob("*.jpg"))[0]
    other = sorted(own.rglob("*.jpg"))[1]
    image.chmod(0o644)
    image.write_bytes(image.read_bytes() + b"\\0")
    assert other.exists()
    done = workspace.run(*RUN)
    assert workspace.is_clean(done.stdout + done.stderr)
    ran = {line for line in done.stdout.splitlines() if line in workspace.stages()}
    assert {"ingest", "sweep", "compress", "train@lenet5", "prune@lenet5", "report"} <= ran
    assert "synthesize" not in ran
    assert "growth" not in ran
