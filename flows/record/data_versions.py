"""Versions of the data: where the cache and the remote keep them, and which of them are damaged."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from slimderm.components.common.errors import RecordError, TransferError
from slimderm.flows.config import layout
from slimderm.flows.record import dvc_lock
from slimderm.flows.record.dvc_repository import opened, writing
from slimderm.flows.record.s3 import ask_for_credentials
from slimderm.flows.record.transfer_errors import unreachable


def push(stages: Iterable[str]) -> None:
    """Send those outputs of some stages that the remote lacks.

    Raises
    ------
    TransferError
        If they did not all arrive.
    RecordError
        If there is no such remote or stage.
    """
    with _transfer("sent to"), opened() as repo:
        repo.push(targets=list(stages))


def adopt(version: dvc_lock.Version) -> None:
    """Fetch what another machine made, and record its entries in ``dvc.lock``.

    Raises
    ------
    TransferError
        If an output cannot be fetched; then ``dvc.lock`` stays as it was.
    RecordError
        If there is no such remote or stage.
    """
    before = dvc_lock.entries()
    dvc_lock.write(before | version)
    try:
        with _transfer("fetched from"), opened() as repo:
            repo.pull(targets=list(version), force=True)
    except (TransferError, RecordError):
        dvc_lock.write(before)
        raise


@contextmanager
def _transfer(verb: str) -> Iterator[None]:
    from dvc.exceptions import CheckoutError, DvcException, FileTransferError
    from dvc.lock import LockError

    try:
        yield
    except (FileTransferError, CheckoutError, LockError, OSError, unreachable()) as error:
        ask_for_credentials(remote())
        raise TransferError(
            f"data versions could not be {verb} the remote ({error}); it is set by `make remote`, "
            "and its endpoint and credentials come from the environment"
        ) from error
    except DvcException as error:  # no retry: a missing remote or stage stays missing
        raise RecordError(f"data versions were not {verb} the remote: {error}") from error


def remote() -> str:
    """Return the address of the remote: a folder, or an address such as ``s3://bucket/prefix``."""
    with opened() as repo:
        try:
            return str(repo.config["remote"][repo.config["core"]["remote"]]["url"])
        except KeyError:
            raise RecordError(
                "DVC's settings name no remote; `make remote URL=folder` or `URL=s3://...` sets it"
            ) from None


def check_out() -> None:
    """Make outputs as ``dvc.lock`` records them, from the cache; what it lacks is left out."""
    with opened() as repo:
        repo.checkout(force=True, allow_missing=True)


def damaged_in(folder: Path) -> list[str]:
    """List the files of a copy of a remote whose bytes are not those of the hash in their name.

    Parameters
    ----------
    folder : Path
        With DVC's layout, ``files/md5/<two digits>/<the rest>``; empty, or missing, lists none.

    Returns
    -------
    list of str
        Hashes, in order.
    """
    named = {path.parent.name + path.name: path for path in folder.glob("files/md5/??/*")}
    return sorted(name for name, path in named.items() if _md5(path) != name.removesuffix(".dir"))


def missing_from_remote() -> list[str]:
    """List the files that ``dvc.lock`` names, this clone's cache has and the remote lacks.

    Raises
    ------
    RecordError
        If the remote does not answer.
    """
    from dvc.exceptions import DvcException

    try:
        with opened() as repo:
            return sorted(name for name, state in repo.status(cloud=True).items() if state == "new")
    except (DvcException, OSError, unreachable()) as error:
        raise RecordError(
            f"the remote does not say what it holds ({error}); `make doctor` checks it"
        ) from error


def share_cache(folder: Path | str) -> None:
    """Keep this clone's data versions in the cache of another clone on this machine."""
    with opened() as repo, repo.config.edit("local") as config:
        config["cache"]["dir"] = str(Path(folder).resolve() / ".dvc" / "cache")


def cached_file(md5: str) -> Path | None:
    """Return the cache's file of this hash; fetch it from the remote if the cache lacks it.

    Returns
    -------
    Path or None
        None if neither has it.
    """
    from dvc.exceptions import DvcException
    from dvc_data.hashfile.hash_info import HashInfo

    with opened() as repo:
        path = Path(repo.cache.local.oid_to_path(md5))
        if not path.exists():
            try:
                repo.cloud.pull([HashInfo("md5", md5)])
            except (DvcException, OSError, unreachable()):
                return None
        return path if path.exists() else None


def set_damaged_aside(aside: Path = layout.DVC_DAMAGED) -> tuple[list[str], int]:
    """Hash the cache's objects, and move away those that differ from the hash in their name.

    Outputs that are links to such an object are deleted, so that the next run makes them anew.

    Returns
    -------
    names : list of str
        Hashes of what was damaged.
    number : int
        Objects looked at.

    Raises
    ------
    BlockingIOError
        If a run is under way in this clone.
    """
    with writing(wait=False):
        return _set_damaged_aside(aside)


def _set_damaged_aside(aside: Path) -> tuple[list[str], int]:
    with opened() as repo:
        cache = repo.cache.local
        objects = {name: Path(cache.oid_to_path(name)) for name in cache.all()}
    damaged = {
        name: path for name, path in objects.items() if _md5(path) != name.removesuffix(".dir")
    }
    inodes = {path.stat().st_ino for path in damaged.values()}
    outs = (out["path"] for stage in dvc_lock.entries().values() for out in stage.get("outs", []))
    for out in outs:
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
    with opened() as repo, repo.config.edit("local") as config:
        config["core"]["remote"] = "storage"
        config["remote"]["storage"] = {"url": url}
