"""Files that appear whole: text and JSON, and hashes of files and of code."""

import hashlib
import json
from pathlib import Path
from typing import Any

from slimderm.components.common.cache import content_key


def write_text(path: Path | str, text: str) -> None:
    """Write a file by a rename, never in place: an output may share its bytes with DVC's cache."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.write_text(text)
    except OSError:  # the disk is full
        draft.unlink(missing_ok=True)
        raise
    draft.replace(path)


def write_json(path: Path | str, value: Any) -> None:
    """Write JSON by a rename, keys in order, so that equal values are equal bytes."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def read_json(path: Path | str) -> Any:
    """Read a JSON file."""
    return json.loads(Path(path).read_text())


def file_hash(path: Path | str) -> str:
    """SHA-256 of a file's bytes."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sources_hash(place: Path) -> str:
    """Hash a Python file, or all those of a folder."""
    sources = sorted(path for path in (place, *place.rglob("*.py")) if path.is_file())
    return content_key(**{path.relative_to(place).as_posix(): file_hash(path) for path in sources})
