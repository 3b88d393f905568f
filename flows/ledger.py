"""The sole importer of DVC: what is stale, what came out, and under which hash.

DVC and Prefect both run graphs, and neither shells into the other. A Prefect run asks `is_stale`,
calls the step, and records what came out with `commit`; afterwards ``dvc status`` finds nothing to
do, just as after ``dvc repro``.
"""

import fcntl
import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.checkpoints import is_alive
from components.errors import RecordError, TransferError
from flows.runtime import console, write_text

LOCK = Path("dvc.lock")
Version = dict[str, dict[str, Any]]  # stage to what dvc.lock records of it


@contextmanager
def _repo() -> Iterator[Any]:
    """Open the DVC repository of the current folder, one process at a time.

    DVC refuses a second writer at once rather than waiting for the first, so writers queue here.
    """
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo
    from dvc.utils.strictyaml import YAMLSyntaxError, YAMLValidationError

    logging.getLogger("dvc").setLevel(logging.ERROR)  # it announces each writing of dvc.lock
    try:
        repo = Repo()
    except NotDvcRepoError as error:
        raise RecordError(
            f"{Path.cwd()} is no DVC repository; run from the clone's top folder, or `dvc init`"
        ) from error
    with repo, (Path(repo.tmp_dir) / "slimderm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _forget_the_dead(repo)
        try:
            yield repo
        except (YAMLSyntaxError, YAMLValidationError) as error:
            raise _damaged_lock(error) from error


def _forget_the_dead(repo: Any) -> None:
    """Take what killed processes held off DVC's list of locks.

    DVC holds a process for alive while its number is taken, be it by a zombie that nobody waits
    for, as in many containers, or by another process; and it never mends a list cut short.
    """
    from dvc.lock import make_lock

    path = Path(repo.tmp_dir) / "rwlock"
    with make_lock(f"{path}.lock", tmp_dir=repo.tmp_dir):
        try:
            held, written = json.loads(path.read_text()), path.stat().st_mtime
        except FileNotFoundError:
            return
        except ValueError:
            path.unlink()
            return
        kept = {
            "write": {
                file: info
                for file, info in held.get("write", {}).items()
                if is_alive(info["pid"], written)
            },
            "read": {
                file: [info for info in infos if is_alive(info["pid"], written)]
                for file, infos in held.get("read", {}).items()
            },
        }
        if kept != held:
            write_text(path, json.dumps(kept))


@contextmanager
def writing() -> Iterator[None]:
    """Hold this clone for a run; a second run waits here for the first.

    The hold ends with the process, however it ends.
    """
    folder = Path(".dvc/tmp")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "slimderm-run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.print("another run is under way in this clone; waiting for it to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def stages() -> list[str]:
    """List the stages of ``dvc.yaml`` in an order in which each follows what it needs."""
    import networkx

    with _repo() as repo:
        graph = repo.index.graph
        order = networkx.lexicographical_topological_sort(
            graph.reverse(), key=lambda stage: stage.addressing
        )
        return [stage.addressing for stage in order if hasattr(stage, "name")]


def needs() -> dict[str, set[str]]:
    """Map each stage to the stages whose outputs it reads."""
    with _repo() as repo:
        graph = repo.index.graph
        return {
            stage.addressing: {needed.addressing for needed in graph.successors(stage)}
            for stage in graph
            if hasattr(stage, "name")
        }


def is_stale(stage: str) -> bool:
    """Whether a stage's code, data, parameters or outputs differ from what ``dvc.lock`` records."""
    with _repo() as repo:
        return bool(repo.status(targets=[stage]))


def commit(stage: str) -> None:
    """Record a stage that just ran: its dependencies, parameters and outputs, in ``dvc.lock``."""
    with _repo() as repo:
        repo.commit(stage, force=True)


def reproduce() -> None:
    """Run every stale stage as ``dvc repro`` does, each in a process of its own; wait for others.

    Raises
    ------
    RecordError
        If a stage fails, or DVC itself; the message says which stage, and how it ended.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    with writing():
        with _repo() as repo:  # says what is damaged; a stage opens it, too, so it is not held
            root = repo.root_dir
        try:
            with Repo(root) as repo:
                repo.reproduce()
        except DvcException as error:
            raise RecordError(": ".join(_reasons(error))) from error


def _reasons(error: BaseException | None) -> Iterator[str]:
    """Yield what an error says, then what those say that led to it."""
    while error is not None:
        yield str(error).strip()
        error = error.__cause__


def _entries() -> dict[str, Any]:
    """Return what ``dvc.lock`` records of each stage; nothing where there is no such file."""
    import yaml

    try:
        return dict((yaml.safe_load(LOCK.read_text()) or {}).get("stages", {}))
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, ValueError, AttributeError) as error:
        raise _damaged_lock(error) from error


def _damaged_lock(error: Exception) -> RecordError:
    return RecordError(
        f"{LOCK} is damaged ({' '.join(str(error).split())}); restore it from git, or delete it "
        "and run again: what is finished is found in the cache"
    )


def _write(entries: Mapping[str, Any]) -> None:
    import yaml

    write_text(LOCK, yaml.safe_dump({"schema": "2.0", "stages": dict(entries)}, sort_keys=False))


def entry_of(stage: str) -> dict[str, Any]:
    """Return what ``dvc.lock`` records of a stage: its dependencies, parameters and outputs.

    Raises
    ------
    RecordError
        If it records nothing.
    """
    try:
        return dict(_entries()[stage])
    except KeyError:
        raise RecordError(f"dvc.lock records nothing of {stage}; run the stage first") from None


def inputs_of(stage: str) -> Version:
    """Return what ``dvc.lock`` records of the stages whose outputs a stage reads."""
    return {needed: entry_of(needed) for needed in sorted(needs()[stage])}


def push(stages: Iterable[str]) -> None:
    """Send the outputs of some stages to the remote, those that it lacks.

    Raises
    ------
    TransferError
        If they did not all arrive.
    """
    with _transfer("sent to"), _repo() as repo:
        repo.push(targets=list(stages))


def adopt(version: Version) -> None:
    """Take up what another machine made: its entries of ``dvc.lock``, its outputs from the remote.

    Raises
    ------
    TransferError
        If an output cannot be fetched; then ``dvc.lock`` stays as it was.
    """
    before = _entries()
    _write(before | version)
    try:
        with _transfer("fetched from"), _repo() as repo:
            repo.pull(targets=list(version), force=True)
    except TransferError:
        _write(before)
        raise


@contextmanager
def _transfer(verb: str) -> Iterator[None]:
    from dvc.exceptions import DvcException

    try:
        yield
    except (DvcException, OSError) as error:
        raise TransferError(
            f"data versions could not be {verb} the remote ({error}); it is set by `make remote`, "
            "and its endpoint and credentials come from the environment"
        ) from error


def remote() -> str:
    """Return the address of the remote: a folder, or an address such as ``s3://bucket/prefix``."""
    with _repo() as repo:
        return str(repo.config["remote"][repo.config["core"]["remote"]]["url"])


def share_cache(folder: Path | str) -> None:
    """Keep this clone's data versions in the cache of another clone on this machine."""
    with _repo() as repo, repo.config.edit("local") as config:
        config["cache"]["dir"] = str(Path(folder).resolve() / ".dvc" / "cache")


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
    outputs = (out for stage in _entries().values() for out in stage.get("outs", []))
    return {out["path"]: out["md5"] for out in outputs if out["path"] in paths}


def cached_file(md5: str) -> Path | None:
    """Return where the cache keeps a file of this hash, fetched from the remote where it lacks it.

    Returns
    -------
    Path or None
        None where neither has it.
    """
    from dvc.exceptions import DvcException
    from dvc_data.hashfile.hash_info import HashInfo

    with _repo() as repo:
        path = Path(repo.cache.local.oid_to_path(md5))
        if not path.exists():
            try:
                repo.cloud.pull([HashInfo("md5", md5)])
            except (DvcException, OSError):
                return None
        return path if path.exists() else None


def set_damaged_aside(aside: Path = Path(".dvc/damaged")) -> tuple[list[str], int]:
    """Hash the cache's objects anew, and move what is not what its name says out of the way.

    Outputs that are links to such an object are deleted, so that the next run makes them anew.

    Returns
    -------
    names : list of str
        Hashes of what was damaged.
    number : int
        Objects looked at.
    """
    with _repo() as repo:
        cache = repo.cache.local
        objects = {name: Path(cache.oid_to_path(name)) for name in cache.all()}
    damaged = {
        name: path for name, path in objects.items() if _md5(path) != name.removesuffix(".dir")
    }
    inodes = {path.stat().st_ino for path in damaged.values()}
    for out in (out["path"] for stage in _entries().values() for out in stage.get("outs", [])):
        for file in (Path(out), *Path(out).rglob("*")) if inodes else ():
            if file.is_file() and file.stat().st_ino in inodes:
                file.unlink()
    for name, path in damaged.items():
        aside.mkdir(parents=True, exist_ok=True)
        path.replace(aside / name)
    return sorted(damaged), len(objects)


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest()


def set_remote(url: str) -> None:
    """Make `url` the place that ``dvc push`` and ``dvc pull`` use on this machine."""
    with _repo() as repo, repo.config.edit("local") as config:
        config["core"]["remote"] = "storage"
        config["remote"]["storage"] = {"url": url}
