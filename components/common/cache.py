"""Work that is found again: folders named after the content of what they hold.

A folder appears whole or not at all: it is filled beside its place and renamed at the end, so a
killed process leaves nothing that a later one would take for finished. Beside it lie the hashes of
its files: what was damaged since counts as not there.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def content_key(**parts: Any) -> str:
    """Hash named JSON-able parts to 32 hexadecimal digits; the order of names is of no account."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@contextmanager
def replacing(target: Path | str) -> Iterator[Path]:
    """Yield an empty folder beside `target` that takes its place when the block succeeds.

    Drafts that killed processes left beside it are removed.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_left(target)
    draft = Path(tempfile.mkdtemp(_ending(), f".{target.name}.", dir=target.parent))
    draft.chmod(0o755)
    try:
        yield draft
        shutil.rmtree(target, ignore_errors=True)
        draft.replace(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _ending() -> str:
    """End the name of a draft so that it tells the process that fills it."""
    return f".{os.getpid()}.draft"


def _remove_left(target: Path) -> None:
    for left in target.parent.glob(f".{target.name}.*.draft"):
        *_, owner, _ = left.name.split(".")
        if owner.isdigit() and is_alive(int(owner), left.stat().st_mtime):
            continue
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def is_alive(pid: int, since: float) -> bool:
    """Whether a process of this number runs that had begun by then (seconds of the epoch).

    The number of a dead one may be taken: by another process, or by a zombie, which it becomes in
    containers whose first process waits for nobody. Where psutil is not installed, the answer is
    yes: drafts then stay.
    """
    try:
        import psutil
    except ModuleNotFoundError:  # the pruner is installed without the platform
        return True
    try:
        process = psutil.Process(pid)
        begun = process.create_time() - 1  # it counts from a time of boot in whole seconds
        return bool(process.status() != psutil.STATUS_ZOMBIE and begun <= since)
    except psutil.NoSuchProcess:
        return False


def place(cache: Path | str, key: str) -> Path:
    """Return where the cache keeps the folder of a key."""
    return Path(cache) / key[:2] / key


def cached(cache: Path | str, key: str, produce: Callable[[Path], None]) -> Path:
    """Return the cache folder of `key`, made by `produce` if it is not there, or not whole."""
    folder = place(cache, key)
    if not is_whole(folder):
        with replacing(folder) as draft:
            produce(draft)
            sums = folder.with_name(f".{folder.name}.sums{_ending()}")
            sums.write_text(json.dumps(_hashes(draft)))
            sums.replace(_sums(folder))
    return folder


def is_whole(folder: Path) -> bool:
    """Whether a folder of the cache is there, and holds what was put into it."""
    try:
        return bool(_hashes(folder) == json.loads(_sums(folder).read_text()))
    except (OSError, ValueError):
        return False


def _sums(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.sums")


def _hashes(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        found[path.relative_to(folder).as_posix()] = digest
    return found
