"""Start and stop MLflow's and Prefect's servers on loopback, for `make up` and `make down`."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

from components.errors import SlimDermError
from flows.params import read_params
from flows.runtime import command_line, console

STATE = Path(".servers")
HOST = os.environ.get("SERVERS_HOST", "127.0.0.1")
MLFLOW_PORT = int(os.environ.get("MLFLOW_PORT", "5000"))
PREFECT_PORT = int(os.environ.get("PREFECT_PORT", "4200"))


def _commands() -> dict[str, tuple[list[str], str, str]]:
    """Name to (command, health address, page)."""
    record = read_params().record
    mlflow = f"http://{HOST}:{MLFLOW_PORT}"
    prefect = f"http://{HOST}:{PREFECT_PORT}"
    store = ["--backend-store-uri", record.tracking_uri]
    artifacts = ["--artifacts-destination", record.artifacts]
    address = ["--host", HOST, "--port"]
    python = [sys.executable, "-m"]
    return {
        "mlflow": (
            [*python, "mlflow", "server", *store, *artifacts, *address, str(MLFLOW_PORT)],
            f"{mlflow}/health",
            mlflow,
        ),
        "prefect": (
            [*python, "prefect", "server", "start", *address, str(PREFECT_PORT)],
            f"{prefect}/api/health",
            prefect,
        ),
    }


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _alive(name: str) -> int | None:
    """Process id of a server that this module started and that still runs."""
    try:
        pid = int((STATE / f"{name}.pid").read_text())
        command = psutil.Process(pid).cmdline()
    except (OSError, ValueError, psutil.Error):
        return None
    return pid if name in command else None


def up(seconds: float = 90) -> None:
    """Start what does not run yet and wait until each answers.

    Raises
    ------
    SlimDermError
        If a server ends, or does not answer in time; the message names its log.
    """
    STATE.mkdir(exist_ok=True)
    commands = _commands()
    for name, (command, _, _) in commands.items():
        if _alive(name) is None:
            with (STATE / f"{name}.log").open("w") as log:
                process = subprocess.Popen(
                    command,
                    stdout=log,
                    stderr=log,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )
            (STATE / f"{name}.pid").write_text(str(process.pid))
    deadline = time.monotonic() + seconds
    for name, (_, health, page) in commands.items():
        while not _answers(health):
            if _alive(name) is None or time.monotonic() > deadline:
                raise SlimDermError(f"{name} does not answer at {health}; see {STATE}/{name}.log")
            time.sleep(0.3)
        console.print(f"{name}: {page}", highlight=False)
    console.print(
        f"for your shell: export MLFLOW_TRACKING_URI={commands['mlflow'][2]} "
        f"PREFECT_API_URL={commands['prefect'][2]}/api",
        highlight=False,
        soft_wrap=True,
    )


def down() -> None:
    """Stop the servers, with their children."""
    for name in ("mlflow", "prefect"):
        pid = _alive(name)
        if pid is not None:
            os.killpg(pid, signal.SIGTERM)
        (STATE / f"{name}.pid").unlink(missing_ok=True)
        console.print(f"{name}: {'stopped' if pid else 'was not running'}", highlight=False)


if __name__ == "__main__":
    with command_line():
        {"up": up, "down": down}[sys.argv[1]]()
