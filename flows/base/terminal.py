"""The terminal: progress bars, messages, and a clear end of a command that fails."""

import io
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, NoReturn, cast

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from slimderm.components.common.errors import SlimDermError
from slimderm.components.common.workers import one_thread

console = Console()
PIPED_SECONDS = 10
NO_WRAP = 10_000  # columns


def note(name: str, sentence: str) -> None:
    """Print what a step has to say, if anything."""
    if sentence:
        console.print(f"{name}: {sentence}", highlight=False, soft_wrap=True)


class _Lines(io.TextIOBase):
    """A file that hands on each whole line, without colours."""

    def __init__(self, take: Callable[[str], object]) -> None:
        self.take, self.begun = take, ""

    def write(self, text: str) -> int:
        *lines, self.begun = (self.begun + text).split("\n")
        for line in lines:
            if line.strip():
                self.take(Text.from_ansi(line).plain.rstrip())
        return len(text)


@contextmanager
def printed_to(take: Callable[[str], object]) -> Iterator[None]:
    """Give each line that is printed inside the block to a function, not to the terminal.

    Progress bars stay where they are.
    """
    console.file, console.width = cast(IO[str], _Lines(take)), NO_WRAP
    try:
        yield
    finally:
        console.file = console.width = None  # type: ignore[assignment]  # stdout, as wide as it is


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


Update = Callable[..., None]
Progressed = Callable[[tuple[str, int | None, int, str]], None]
_SENT_TO: list[Progressed] = []  # in a worker, whoever draws for it


def send_progress(to: Progressed) -> None:
    """Draw no progress bars in this process: pass (title, total, completed, note) on instead."""
    _SENT_TO[:] = [to]


@contextmanager
def progress_bars() -> Iterator[Update]:
    """Show a progress bar a title; yields a function of (title, total, completed, note).

    Where output is piped, a title gets a line at most every `PIPED_SECONDS` instead.
    """
    columns = (
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    screen = Console(quiet=console.quiet) if isinstance(console.file, _Lines) else console
    with Progress(*columns, console=screen) as progress:
        tasks: dict[str, TaskID] = {}
        said: dict[str, tuple[float, int]] = {}

        def update(title: str, total: int | None, completed: int, note: str = "") -> None:
            if title not in tasks:
                tasks[title] = progress.add_task(title, total=total, note="")
                said[title] = time.monotonic(), 0
            progress.update(tasks[title], completed=completed, note=note)
            before, known = said[title]
            if screen.is_terminal or completed == known:
                return
            if time.monotonic() - before >= PIPED_SECONDS:
                said[title] = time.monotonic(), completed
                whole = "" if total is None else f" of {total}"
                screen.out(f"{title}: {completed}{whole} {note}".rstrip(), highlight=False)

        yield update


@contextmanager
def progress_bar(title: str, total: int | None) -> Iterator[Update]:
    """Show a progress bar; yields a function of (completed, note)."""
    if _SENT_TO:
        yield lambda completed, note="": _SENT_TO[0]((title, total, completed, note))
        return
    with progress_bars() as update:
        update(title, total, 0)
        yield partial(update, title, total)


def without_password(text: str) -> str:
    """Return an address, or a text with addresses in it, without the user and password before @."""
    return re.sub(r"(?<=//)[^/\s]*@", "", text)


@contextmanager
def command_line() -> Iterator[None]:
    """Run a command: linear algebra on one thread, errors as messages.

    A `SlimDermError` ends the process with status 1 and a message, not a traceback. A full disk and
    a server that does not answer get a message, too; finished work is in the cache.
    """
    one_thread()
    try:
        yield
    except (SlimDermError, FileNotFoundError) as error:
        _fail(type(error).__name__, str(error))
    except Exception as error:
        reason = without_password(" ".join(str(error).split()))[:200]
        if any(map(_is_a_full_disk, _causes(error))):
            advice = "free some (`make doctor` says how) and run again, what is finished is kept"
            _fail("DiskFullError", f"No space left on device; {advice} ({reason})")
        if any(map(_is_a_lost_connection, _causes(error))):
            servers = "PREFECT_API_URL, MLFLOW_TRACKING_URI and AWS_ENDPOINT_URL name the servers"
            _fail(type(error).__name__, f"{reason}; {servers}, and `make doctor` checks them")
        raise


def _fail(name: str, message: str) -> NoReturn:
    console.print(f"[bold red]{name}[/]: {escape(message)}", highlight=False, soft_wrap=True)
    raise SystemExit(1) from None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that led to it: libraries wrap them in their own."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_a_full_disk(error: BaseException) -> bool:
    message = str(error).lower()
    signs = ("no space left on device", "disk is full", "errno = 28")
    return any(sign in message for sign in signs)


def _is_a_lost_connection(error: BaseException) -> bool:
    clients = ("httpcore", "httpx", "requests", "urllib3")
    return isinstance(error, ConnectionError) or type(error).__module__.split(".")[0] in clients
