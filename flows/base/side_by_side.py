"""Jobs in worker processes; the process that waits shows their progress and what they print.

A worker keeps its imports, so a second job on it starts at once. It ends when the process that
started it ends, also if that is killed.
"""

import contextlib
import io
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from typing import Any, Self

from slimderm.components.common.workers import one_thread
from slimderm.flows.base import terminal

POLL_SECONDS = 0.2


class WorkerPool:
    """Processes that run jobs side by side.

    Parameters
    ----------
    number : int
        How many processes at most; each is started when it is first needed.
    """

    def __init__(self, number: int) -> None:
        context = get_context("spawn")
        self.events: Any = context.SimpleQueue()
        self.progress: dict[str, tuple[int | None, int, str]] = {}
        self.running: dict[str, Future[str]] = {}
        self.pool = ProcessPoolExecutor(
            number, context, initializer=_begin, initargs=(os.getpid(), self.events)
        )

    def __enter__(self) -> Self:
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for process in list((self.pool._processes or {}).values()) if self.running else ():
            process.terminate()  # a job failed, so nobody waits for the others
        self.pool.shutdown(cancel_futures=True)
        self.events.put(None)

    def submit(self, name: str, job: Callable[[str], None]) -> None:
        """Start `job`, called with `name`, on a process that is free, or queue it."""
        self.running[name] = self.pool.submit(_captured, job, name)

    def wait(self) -> list[tuple[str, str]]:
        """Show progress until a job or more has ended; return names and what they printed.

        Raises
        ------
        Exception
            What a job raised.
        """
        with terminal.progress_bars() as update:
            done: list[str] = []
            while not done:
                done = self._ended()
                for title, state in list(self.progress.items()):
                    update(title, *state)
        self.progress.clear()
        found = [(name, self.running[name].result()) for name in done]
        for name in done:
            del self.running[name]
        return found

    def _ended(self) -> list[str]:
        wait(self.running.values(), POLL_SECONDS, FIRST_COMPLETED)
        return [name for name, future in self.running.items() if future.done()]

    def _listen(self) -> None:
        while (event := self.events.get()) is not None:
            title, *state = event
            self.progress[title] = tuple(state)


def _begin(parent: int, events: Any) -> None:
    """Prepare a worker: it sends progress to the parent, and ends with the parent."""
    one_thread()
    terminal.send_progress(events.put)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _captured(job: Callable[[str], None], name: str) -> str:
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        job(name)
    return text.getvalue()
