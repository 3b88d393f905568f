"""The clone as DVC's repository, opened by one process at a time.

DVC is imported here, in `dvc_lock` and in `data_versions`, and nowhere else.
"""

import fcntl
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from slimderm.components.common.cache import is_alive
from slimderm.components.common.errors import RecordError
from slimderm.flows.base.files import write_text
from slimderm.flows.base.terminal import console
from slimderm.flows.config.layout import DVC_LOCK, DVC_TMP, DVC_YAML


@contextmanager
def opened() -> Iterator[Any]:
    """Open the DVC repository of the current folder, one process at a time.

    DVC refuses a second writer at once rather than waiting for the first, so writers queue here.
    """
    from dvc.exceptions import NotDvcRepoError
    from dvc.repo import Repo
    from dvc.utils.strictyaml import YAMLSyntaxError, YAMLValidationError

    logging.getLogger("dvc").setLevel(logging.ERROR)  # it announces each writing of dvc.lock
    logging.getLogger("dvc_data").setLevel(logging.CRITICAL)  # a full disk's traceback; it raises
    try:
        repo = Repo()
    except NotDvcRepoError as error:
        raise RecordError(
            f"{Path.cwd()} is no DVC repository; run from the clone's top folder, or `dvc init`"
        ) from error
    with repo, (Path(repo.tmp_dir) / "slimderm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _delete_locks_of_dead_processes(repo)
        try:
            with lock_errors_as_ours():
                yield repo
        except (YAMLSyntaxError, YAMLValidationError) as error:
            raise damaged_lock(error) from error


@contextmanager
def lock_errors_as_ours() -> Iterator[None]:
    """Raise `RecordError` where DVC finds that another process holds a file."""
    from dvc.lock import LockError

    try:
        yield
    except LockError as error:
        raise RecordError(str(error)) from error


def _delete_locks_of_dead_processes(repo: Any) -> None:
    """Delete the entries of killed processes from DVC's list of locks.

    DVC takes a process for alive while its number is in use: by a zombie that nobody waits for, as
    in many containers, or by another process. It does not repair a truncated list either.
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


def described(stage: str) -> dict[str, Any]:
    """Return a stage as ``dvc.yaml`` describes it, resolved by DVC (``foreach``, ``${...}``).

    Parameters
    ----------
    stage : str
        Such as ``split`` or ``train@lenet5``.

    Returns
    -------
    dict
        ``cmd``, ``deps``, ``params`` and so on.

    Raises
    ------
    RecordError
        If ``dvc.yaml`` with ``params.yaml`` makes no such stage.
    """
    import yaml
    from dvc.fs import LocalFileSystem
    from dvc.parsing import DataResolver, EntryNotFound, ResolveError

    # Opening a repository takes twice as long; the resolver reads no more of one than this.
    repo = SimpleNamespace(fs=LocalFileSystem(), config={})
    document = yaml.load(DVC_YAML.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    try:
        return dict(DataResolver(repo, "", document).resolve_one(stage)[stage])
    except (EntryNotFound, ResolveError) as error:
        raise RecordError(
            f"stage: received {stage!r}, expected one that {DVC_YAML} describes ({error}); "
            "networks, studies and slim in params.yaml say for which there are stages"
        ) from error


@contextmanager
def writing(*, wait: bool = True) -> Iterator[None]:
    """Hold this clone for a run; a second run waits here for the first.

    The hold ends with the process, however it ends.

    Raises
    ------
    BlockingIOError
        If another run holds it and `wait` is false.
    """
    DVC_TMP.mkdir(parents=True, exist_ok=True)
    with (DVC_TMP / "slimderm-run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                raise
            console.print("another run is under way in this clone; waiting for it to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def damaged_lock(error: Exception) -> RecordError:
    """Return the error that says what to do where ``dvc.lock`` cannot be read."""
    return RecordError(
        f"{DVC_LOCK} is damaged ({' '.join(str(error).split())}); restore it from git, or delete "
        "it and run again: what is finished is found in the cache"
    )
