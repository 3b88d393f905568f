"""A process that outlives the command that started it: recorded in a file, found again, stopped."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil

from slimderm.components.common.errors import SlimDermError
from slimderm.flows.base.credentials import CREDENTIALS
from slimderm.flows.base.files import write_json
from slimderm.flows.config import layout
from slimderm.flows.config.addresses import HOST


@dataclass(frozen=True)
class Service:
    """A process that `up` starts; a server answers at ``health``, a worker has none."""

    name: str
    command: list[str]
    health: str | None = None
    page: str = ""
    pid: int = 0
    born: float = 0.0
    credentials: Sequence[str] = ()  # names of the variables with which it was started

    @property
    def kept(self) -> Path:
        """The file that records how it was started."""
        return layout.SERVERS / f"{self.name}.json"

    @property
    def log(self) -> Path:
        """The file with its output."""
        return layout.SERVERS / f"{self.name}.log"

    def running(self) -> "Service | None":
        """Return it as `up` started it, perhaps with other variables, or None if it has ended.

        A clone that was copied has the file of its original, whose servers are not its own.
        """
        try:
            started = Service(**json.loads(self.kept.read_text()))
            process = psutil.Process(started.pid)
            ours = abs(born(process) - started.born) < 2 and Path(process.cwd()) == Path.cwd()
            return started if ours and process.status() != psutil.STATUS_ZOMBIE else None
        except (OSError, ValueError, TypeError, psutil.Error):
            return None

    @property
    def port(self) -> int:
        """The port of `health`."""
        return urllib.parse.urlsplit(self.health or "").port or 0

    def answers(self) -> bool:
        """Whether it answers, and no other program in its place; a worker always does."""
        return self.health is None or (self._listens() and answers(self.health))

    def _listens(self) -> bool:
        """Whether its process, or one that this started, listens on its port."""
        try:
            process = psutil.Process(self.pid)
            family = [process, *process.children(recursive=True)]
            sockets = [each for one in family for each in one.net_connections("tcp")]
        except psutil.Error:
            return False
        return any(
            each.status == psutil.CONN_LISTEN and each.laddr.port == self.port for each in sockets
        )

    def check_port(self) -> None:
        """Refuse a port that another program holds.

        Raises
        ------
        SlimDermError
            If one does; the message says what to set.
        """
        if self.health is None or self.running() is not None:
            return
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), timeout=2):
            raise SlimDermError(
                f"{self.name}: received port {self.port} of {HOST}, which a program holds that "
                f"this clone did not start, expected a free one; set {self.name.upper()}_PORT to "
                "another, or stop that program"
            )

    def start(self, environment: Mapping[str, str]) -> None:
        """Start it in its own session, unless it runs.

        Raises
        ------
        SlimDermError
            If it runs with other settings, or without credentials that there are now.
        """
        started = self.running()
        given = [name for name in CREDENTIALS if environment.get(name)]
        if started is None:
            with self.log.open("a") as log:
                process = subprocess.Popen(
                    self.command,
                    stdout=log,
                    stderr=log,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                    env=environment,
                )
            begun = born(psutil.Process(process.pid))
            started = replace(self, pid=process.pid, born=begun, credentials=given)
            write_json(self.kept, asdict(started))
        elif started.command[1:] != self.command[1:]:
            raise SlimDermError(
                f"{self.name}: received other settings than those that it runs with "
                f"({' '.join(started.command[1:])}), expected the same; `make down`, then `make up`"
            )
        elif late := [name for name in given if name not in started.credentials]:
            raise SlimDermError(
                f"{self.name}: received {', '.join(late)}, with which it was not started; "
                "`make down`, then `make up`: what runs keeps the environment of its start"
            )

    def stop(self, seconds: float = 20) -> bool:
        """Stop it with its children; return whether it ran."""
        started = self.running()
        if started is not None:
            os.killpg(started.pid, signal.SIGTERM)
            if not self._ends(seconds):
                os.killpg(started.pid, signal.SIGKILL)
                self._ends(seconds)
        self.kept.unlink(missing_ok=True)
        return started is not None

    def wait(self, seconds: float = 180) -> None:
        """Wait until it answers: its own process, not another program on its port.

        Raises
        ------
        SlimDermError
            If it ends or does not answer in time; the message names its log.
        """
        deadline = time.monotonic() + seconds
        while (started := self.running()) is None or not started.answers():
            if started is None or time.monotonic() > deadline:
                raise SlimDermError(f"{self.name} does not answer at {self.health}; see {self.log}")
            time.sleep(0.3)

    def _ends(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.running() is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True


def born(process: psutil.Process) -> float:
    """Return a process's start in seconds after the machine's, which no set clock changes."""
    return float(process.create_time() - psutil.boot_time())


def answers(address: str) -> bool:
    """Return whether a server answers."""
    try:
        with urllib.request.urlopen(address, timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
