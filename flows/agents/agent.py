"""One stage on another machine: data from the remote, results back to it.

An agent is a Prefect worker in a clone. A job names a stage, a commit, the parameters, and what
``dvc.lock`` records of the data that the stage reads. The agent returns what ``dvc.lock`` would
record of the stage. Files travel through the remote alone. Jobs never change the agent's clone:
they run in a second clone inside it, which shares its objects and its cache.
"""

import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from prefect import flow, get_run_logger
from prefect.runtime import flow_run

from slimderm.components.common.cache import replacing
from slimderm.components.common.errors import RecordError
from slimderm.flows.agents.handover import hand_back
from slimderm.flows.agents.transfers import pull, push
from slimderm.flows.base.files import file_hash, write_text
from slimderm.flows.base.retry import ask_prefect
from slimderm.flows.config import layout
from slimderm.flows.config.params import read_params
from slimderm.flows.record import data_versions, dvc_lock
from slimderm.flows.record.mlflow_store import FLOW_RUN, SENDER, Tracker
from slimderm.flows.record.page_links import page_links
from slimderm.flows.record.registry import Registry

LOCK = layout.REQUIREMENTS_LOCK


@contextlib.contextmanager
def workplace(clone: Path, commit: str, place: Path = layout.WORKPLACE) -> Iterator[Path]:
    """Hold the clone inside a clone, with a commit checked out and the same cache.

    One job at a time: other workers' jobs wait here, on a lock that ends with the process.

    Parameters
    ----------
    clone : path
        The agent's clone; only its objects are used, so it may stand anywhere.
    commit : str
        Full hash.
    place : path
        Where it lies inside the clone.

    Raises
    ------
    RecordError
        If the commit cannot be had, or its lock differs from what is installed here.
    """
    # Beside the lock of the coordinator's own run.
    held = clone / layout.DVC_TMP / f"slimderm-{place.name.lstrip('.')}.lock"
    held.parent.mkdir(parents=True, exist_ok=True)
    with held.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield _check_out(clone, commit, clone / place)


def _check_out(clone: Path, commit: str, folder: Path) -> Path:
    if not (folder / ".git").exists():
        with replacing(folder) as draft:
            _git(clone, "clone", "--quiet", "--shared", "--no-checkout", str(clone), str(draft))
    for left in (folder / ".git").rglob("*.lock"):  # by a killed git; none runs here now
        left.unlink()
    _point_at(folder, clone)
    if not _knows(folder, commit):
        _git(clone, "fetch", "--quiet", "--all", check=False)
    if not _knows(folder, commit):
        raise RecordError(
            f"commit: received {commit}, which {clone} does not have, expected one that its "
            "remotes have; push it from the coordinator"
        )
    _git(folder, "checkout", "--quiet", "--force", "--detach", commit)
    if file_hash(folder / LOCK) != file_hash(clone / LOCK):
        raise RecordError(
            f"{LOCK} of commit {commit} is not the one installed here; run `git pull` and "
            f"`make setup` in {clone}, then start its agent again"
        )
    with contextlib.chdir(clone):
        remote = data_versions.remote()
    with contextlib.chdir(folder):
        data_versions.set_remote(remote)
        data_versions.share_cache(clone)
    return folder


def _point_at(folder: Path, clone: Path) -> None:
    """Make a workplace share the objects of the clone in which it lies, which may have moved."""
    shared = folder / ".git/objects/info/alternates"
    moved = [
        line for line in shared.read_text().splitlines() if not Path(line).is_relative_to(clone)
    ]
    if (clone / ".git/objects").is_dir() and moved:
        write_text(shared, f"{clone / '.git/objects'}\n")
        _git(folder, "remote", "set-url", "origin", str(clone))


def _git(folder: Path, *arguments: str, check: bool = True) -> bool:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
    )
    if check and done.returncode:
        raise RecordError(f"git {' '.join(arguments)} failed in {folder}: {done.stderr.strip()}")
    return done.returncode == 0


def _knows(folder: Path, commit: str) -> bool:
    return _git(folder, "cat-file", "-e", f"{commit}^{{commit}}", check=False)


def run_in_process(stage: str) -> None:
    """Run a stage's plain function in a process of its own, and log its output.

    Raises
    ------
    RecordError
        If it fails; the message holds its last lines.
    """
    logger, output = get_run_logger(), []
    process = subprocess.Popen(
        [sys.executable, "-m", "slimderm.flows.steps", *stage.split("@")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", SENDER: _sender()},
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip():
                output.append(line.rstrip())
                logger.info(line.rstrip())
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait()
    if process.returncode:
        raise RecordError(f"{stage} ended with {process.returncode}: " + "\n".join(output[-5:]))


def _sender() -> str:
    return str(ask_prefect(getattr, flow_run, "root_flow_run_id"))


@flow(name="agent", flow_run_name="{stage}", timeout_seconds=7 * 24 * 3600)
def agent(stage: str, commit: str, params: dict[str, Any], version: dict[str, Any]) -> None:
    """Run one stage for a coordinator and hand its outputs back through the remote.

    If a run is killed, the same job sent again continues it: finished trainings lie in the
    workplace's cache.

    Args:
        stage: A stage of dvc.yaml, such as train@lenet5.
        commit: Full hash of the commit to run.
        params: The content of params.yaml.
        version: What dvc.lock records of the stages whose outputs this one reads.
    """
    with workplace(Path.cwd(), commit) as folder, contextlib.chdir(folder):
        write_text(layout.PARAMS, yaml.safe_dump(params, sort_keys=False))
        pull(version)
        if dvc_lock.is_stale(stage):
            with dvc_lock.made(stage):
                run_in_process(stage)
        push([stage])
        pages = page_links(Registry(Tracker(read_params().record)), str(flow_run.id), tag=FLOW_RUN)
        hand_back(stage, dvc_lock.entry_of(stage), pages)
