"""What every step needs: a quiet machine, progress bars, clear ends, files that appear whole."""

import gc
import hashlib
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from components.checkpoints import cached, content_key, replacing
from components.errors import SlimDermError

console = Console()

__all__ = [
    "cached",
    "code_hash",
    "command_line",
    "console",
    "content_key",
    "file_hash",
    "load_keras",
    "progress_bar",
    "quiet_stderr",
    "read_json",
    "replacing",
    "without_password",
    "write_json",
    "write_text",
]


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Drop what C++ libraries write to file descriptor 2 inside the block."""
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def load_keras() -> Any:
    """Import Keras without the log lines its backend writes before logging is set up."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    first = "keras" not in sys.modules
    with quiet_stderr():
        import keras

        keras.ops.zeros(1)
        import tensorflow  # noqa: F401  # Keras seeds it, too, whatever its backend
    if first:  # else every search for garbage goes through all of these modules
        gc.collect()
        gc.freeze()
    # Each network of a schedule is traced anew, as it must be; TensorFlow would warn of it.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    return keras


@contextmanager
def progress_bar(title: str, total: int | None) -> Iterator[Callable[..., None]]:
    """Show a progress bar; yields a function of (completed, note)."""
    columns = (
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(title, total=total, note="")

        def update(completed: int, note: str = "") -> None:
            progress.update(task, completed=completed, note=note)

        yield update


def without_password(text: str) -> str:
    """Return an address, or a text with addresses in it, without the user and password before @."""
    return re.sub(r"(?<=//)[^/\s]*@", "", text)


@contextmanager
def command_line() -> Iterator[None]:
    """End the process with status 1 and a message, not a traceback, on an error of our own.

    A full disk is as much nobody's fault, and so is a server that does not answer; what is finished
    is in the cache.
    """
    try:
        yield
    except (SlimDermError, FileNotFoundError) as error:
        _say(type(error).__name__, str(error))
    except Exception as error:
        said = without_password(" ".join(str(error).split()))[:200]
        if any(map(_is_a_full_disk, _causes(error))):
            told = "No space left on device; free some (`make doctor` says how) and run again, what"
            _say("DiskFullError", f"{told} is finished is kept ({said})")
        if any(map(_is_a_lost_connection, _causes(error))):
            told = "PREFECT_API_URL, MLFLOW_TRACKING_URI and AWS_ENDPOINT_URL name the servers, and"
            _say(type(error).__name__, f"{said}; {told} `make doctor` checks them")
        raise


def _say(name: str, message: str) -> NoReturn:
    console.print(f"[bold red]{name}[/]: {escape(message)}", highlight=False, soft_wrap=True)
    raise SystemExit(1) from None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that led to it: libraries wrap them in their own."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_a_full_disk(error: BaseException) -> bool:
    said = str(error).lower()
    return "no space left on device" in said or "disk is full" in said or "errno = 28" in said


def _is_a_lost_connection(error: BaseException) -> bool:
    clients = ("httpcore", "httpx", "requests", "urllib3")
    return isinstance(error, ConnectionError) or type(error).__module__.split(".")[0] in clients


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


def code_hash(*places: str) -> str:
    """One hash over Python files and those of packages, so that cached work follows the code."""
    root = Path(__file__).resolve().parent.parent
    found = [root / place for place in places]
    sources = sorted(p for place in found for p in (place, *place.rglob("*.py")) if p.is_file())
    return content_key(**{str(path.relative_to(root)): file_hash(path) for path in sources})
