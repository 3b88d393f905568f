"""The sole importer of DVC: what is stale, what came out, and under which hash.

DVC and Prefect both run graphs, and neither shells into the other. A Prefect run asks `is_stale`,
calls the step, and records what came out with `commit`; afterwards ``dvc status`` finds nothing to
do, just as after ``dvc repro``.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.errors import RecordError


@contextmanager
def _repo() -> Iterator[Any]:
    """Open the DVC repository of the current folder, one process at a time.

    DVC refuses a second writer at once rather than waiting for the first, so writers queue here.
    """
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo

    try:
        repo = Repo()
    except NotDvcRepoError as error:
        raise RecordError(
            f"{Path.cwd()} is no DVC repository; run from the clone's top folder, or `dvc init`"
        ) from error
    with repo, (Path(repo.tmp_dir) / "slimderm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield repo


def stages() -> list[str]:
    """List the stages of ``dvc.yaml`` in an order in which each follows what it needs."""
    import networkx

    with _repo() as repo:
        graph = repo.index.graph
        order = networkx.lexicographical_topological_sort(
            graph.reverse(), key=lambda stage: stage.addressing
        )
        return [stage.addressing for stage in order if hasattr(stage, "name")]


def is_stale(stage: str) -> bool:
    """Whether a stage's code, data, parameters or outputs differ from what ``dvc.lock`` records."""
    with _repo() as repo:
        return bool(repo.status(targets=[stage]))


def commit(stage: str) -> None:
    """Record a stage that just ran: its dependencies, parameters and outputs, in ``dvc.lock``."""
    with _repo() as repo:
        repo.commit(stage, force=True)


def output_hashes(*paths: str) -> dict[str, str]:
    """Give the DVC hash of each output as ``dvc.lock`` records it; outputs not there are left out.

    Parameters
    ----------
    *paths : str
        Output paths as ``dvc.yaml`` writes them, e.g. ``data/raw``.

    Returns
    -------
    dict of str to str
        Path to md5 (a folder's ends in ``.dir``).
    """
    import yaml

    try:
        lock = yaml.safe_load(Path("dvc.lock").read_text()) or {}
    except FileNotFoundError:
        return {}
    outputs = (out for stage in lock.get("stages", {}).values() for out in stage.get("outs", []))
    return {out["path"]: out["md5"] for out in outputs if out["path"] in paths}


def set_remote(url: str) -> None:
    """Make `url` the place that ``dvc push`` and ``dvc pull`` use on this machine."""
    with _repo() as repo, repo.config.edit("local") as config:
        config["core"]["remote"] = "storage"
        config["remote"]["storage"] = {"url": url}
