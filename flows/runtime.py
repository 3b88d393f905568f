"""What every step does first and last: a quiet machine, progress bars, a step's two entrances."""

import hashlib
import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from components.errors import SlimDermError

console = Console()


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
    with quiet_stderr():
        import keras

        keras.ops.zeros(1)
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


@contextmanager
def command_line() -> Iterator[None]:
    """End the process with status 1 and a message, not a traceback, on an error of our own."""
    try:
        yield
    except (SlimDermError, FileNotFoundError) as error:
        console.print(
            f"[bold red]{type(error).__name__}[/]: {escape(str(error))}",
            highlight=False,
            soft_wrap=True,
        )
        raise SystemExit(1) from None


def run_step(step: Any, *arguments: str) -> None:
    """Run a step as DVC does: the plain function behind the flow, with no Prefect server."""
    with command_line():
        step.fn(*arguments)


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


def write_text(path: Path | str, text: str) -> None:
    """Write a file by a rename, never in place: an output may share its bytes with DVC's cache."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(text)
    draft.replace(path)


def write_json(path: Path | str, value: Any) -> None:
    """Write JSON by a rename, keys in order, so that equal values are equal bytes."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def read_json(path: Path | str) -> Any:
    """Read a JSON file."""
    return json.loads(Path(path).read_text())


def content_key(**parts: Any) -> str:
    """Hash named JSON-able parts to 32 hexadecimal digits; the order of names is of no account."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def file_hash(path: Path | str) -> str:
    """SHA-256 of a file's bytes."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def code_hash(*packages: str) -> str:
    """One hash over the Python files of some packages, so that cached work follows the code."""
    root = Path(__file__).resolve().parent.parent
    sources = sorted(path for package in packages for path in (root / package).rglob("*.py"))
    return content_key(**{str(path.relative_to(root)): file_hash(path) for path in sources})


def cached(cache: Path | str, key: str, produce: Callable[[Path], None]) -> Path:
    """Return the cache folder of `key`, made by `produce` if it is not there yet.

    The folder appears whole or not at all: `produce` fills a draft that is renamed at the end, so a
    killed process leaves nothing that a later one would take for finished.
    """
    folder = Path(cache) / key[:2] / key
    if not folder.exists():
        with replacing(folder) as draft:
            produce(draft)
    return folder
