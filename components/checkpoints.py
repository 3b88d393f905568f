"""Work that is found again: folders named after the content of what they hold.

A folder appears whole or not at all: it is filled beside its place and renamed at the end, so a
killed process leaves nothing that a later one would take for finished.
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

import psutil


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
    for left in target.parent.glob(f".{target.name}.*.draft"):
        if not psutil.pid_exists(int(left.name.split(".")[-2])):
            shutil.rmtree(left, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(f".{os.getpid()}.draft", f".{target.name}.", dir=target.parent))
    draft.chmod(0o755)
    try:
        yield draft
        shutil.rmtree(target, ignore_errors=True)
        draft.replace(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def cached(cache: Path | str, key: str, produce: Callable[[Path], None]) -> Path:
    """Return the cache folder of `key`, made by `produce` if it is not there yet."""
    folder = Path(cache) / key[:2] / key
    if not folder.exists():
        with replacing(folder) as draft:
            produce(draft)
    return folder
