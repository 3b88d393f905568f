"""MLflow's and Prefect's servers and two workers on this machine: up, status, down, agent.

What ``infra/compose.yaml`` starts as containers, these start as processes: on loopback, with SQLite
and local folders, or with what the servers' own variables say (``MLFLOW_BACKEND_STORE_URI``,
``MLFLOW_ARTIFACTS_DESTINATION``, ``PREFECT_SERVER_DATABASE_CONNECTION_URL``). An address that holds
a password stays in the environment and is never part of a command.
"""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import psutil

from components.errors import SlimDermError
from flows.params import read_params
from flows.runtime import command_line, console

STATE = Path(".servers")
HOST = os.environ.get("SERVERS_HOST", "127.0.0.1")
MLFLOW = f"http://{HOST}:{os.environ.get('MLFLOW_PORT', '5000')}"
PREFECT = f"http://{HOST}:{os.environ.get('PREFECT_PORT', '4200')}"
POOLS = {"cpu": [], "gpu": ["--limit", "1"]}  # one training a GPU
PYTHON = [sys.executable, "-m"]


@dataclass(frozen=True)
class Service:
    """A process that `up` starts; a server answers at ``health``, a worker has none."""

    name: str
    command: list[str]
    health: str | None = None
    page: str = ""

    @property
    def pid_file(self) -> Path:
        """Where its process id is kept."""
        return STATE / f"{self.name}.pid"

    @property
    def log(self) -> Path:
        """What it says."""
        return STATE / f"{self.name}.log"

    def pid(self) -> int | None:
        """Process id, where `up` of this clone started it and it still runs."""
        try:
            pid = int(self.pid_file.read_text())
            process = psutil.Process(pid)
            ours = process.cmdline()[1:] == self.command[1:]
        except (OSError, ValueError, psutil.Error):
            return None
        return pid if ours and process.status() != psutil.STATUS_ZOMBIE else None

    def start(self) -> None:
        """Start it in a session of its own, unless it runs."""
        if self.pid() is None:
            with self.log.open("a") as log:
                process = subprocess.Popen(
                    self.command,
                    stdout=log,
                    stderr=log,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                    env=environment(),
                )
            self.pid_file.write_text(str(process.pid))

    def stop(self, seconds: float = 20) -> bool:
        """Stop it with its children; tell whether it ran."""
        pid = self.pid()
        self.pid_file.unlink(missing_ok=True)
        if pid is None:
            return False
        process = psutil.Process(pid)
        os.killpg(pid, signal.SIGTERM)
        try:
            process.wait(seconds)
        except psutil.TimeoutExpired:
            os.killpg(pid, signal.SIGKILL)
        return True


def environment() -> dict[str, str]:
    """Return the environment of servers and workers: where they find each other, and the clone."""
    own = {
        "MLFLOW_TRACKING_URI": MLFLOW,
        "PREFECT_API_URL": f"{PREFECT}/api",
        "SLIMDERM_CLONE": str(Path.cwd()),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # its jobs serve language models
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    return {**os.environ, **own, "PYTHONUNBUFFERED": "1"}


def servers() -> list[Service]:
    """Return MLflow's and Prefect's servers."""
    record = read_params().record
    mlflow = [*PYTHON, "mlflow", "server", "--workers", "2", "--host", HOST]
    mlflow += ["--port", MLFLOW.rsplit(":", 1)[1]]
    if "MLFLOW_BACKEND_STORE_URI" not in os.environ:
        mlflow += ["--backend-store-uri", record.tracking_uri]
    if "MLFLOW_ARTIFACTS_DESTINATION" not in os.environ:
        mlflow += ["--artifacts-destination", record.artifacts]
    prefect = [*PYTHON, "prefect", "server", "start", "--host", HOST, "--port"]
    prefect.append(PREFECT.rsplit(":", 1)[1])
    return [
        Service("mlflow", mlflow, f"{MLFLOW}/health", MLFLOW),
        Service("prefect", prefect, f"{PREFECT}/api/health", PREFECT),
    ]


def worker(pool: str, name: str) -> list[str]:
    """Return the command of a worker."""
    command = [*PYTHON, "prefect", "worker", "start", "--type", "process"]
    return [*command, "--pool", pool, "--name", name, *POOLS[pool]]


def workers() -> list[Service]:
    """Return the worker of each pool."""
    return [Service(f"worker-{pool}", worker(pool, f"{pool}-here")) for pool in POOLS]


def answers(address: str) -> bool:
    """Tell whether a server answers."""
    try:
        with urllib.request.urlopen(address, timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _wait(service: Service, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while service.health and not answers(service.health):
        if service.pid() is None or time.monotonic() > deadline:
            raise SlimDermError(
                f"{service.name} does not answer at {service.health}; see {service.log}"
            )
        time.sleep(0.3)


def deploy() -> None:
    """Make the work pools and the deployments of ``prefect.yaml`` known to the server.

    Raises
    ------
    SlimDermError
        If Prefect refuses; the message is its own.
    """
    _prefect(*(["work-pool", "create", pool, "--type", "process", "--overwrite"] for pool in POOLS))
    _prefect(["--no-prompt", "deploy", "--all"])


def _prefect(*commands: list[str]) -> None:
    """Run Prefect's commands side by side."""
    known = environment()
    del known["SLIMDERM_CLONE"]  # else deploying would write this clone into every deployment
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    running = [
        subprocess.Popen([*PYTHON, "prefect", *command], env=known, **quiet)  # type: ignore[call-overload]
        for command in commands
    ]
    for process, command in zip(running, commands, strict=True):
        said = process.communicate()[0]
        if process.returncode:
            raise SlimDermError(f"prefect {' '.join(command)} failed: {said}")


def up() -> None:
    """Start what does not run yet: servers, then deployments, then workers.

    Raises
    ------
    SlimDermError
        If something ends or does not answer in time; the message names its log.
    """
    STATE.mkdir(exist_ok=True)
    mlflow, prefect = servers()
    for service in (mlflow, prefect):
        service.start()
    _wait(prefect)
    deploy()
    _wait(mlflow)
    for service in workers():
        service.start()
    status()
    console.print(
        f"for your shell: export MLFLOW_TRACKING_URI={MLFLOW} PREFECT_API_URL={PREFECT}/api",
        highlight=False,
        soft_wrap=True,
    )


def status() -> None:
    """Print what runs, where its page is, and where it writes."""
    for service in (*servers(), *workers()):
        pid = service.pid()
        well = pid is not None and (service.health is None or answers(service.health))
        state = "runs" if well else "does not answer" if pid else "stopped"
        console.print(
            f"{service.name:<11} {state:<8} {service.page or service.log}",
            highlight=False,
            soft_wrap=True,
        )


def down() -> None:
    """Stop workers, then servers, with their children."""
    for service in (*workers(), *servers()):
        ran = service.stop()
        console.print(f"{service.name}: {'stopped' if ran else 'was not running'}", highlight=False)


def agent(pool: str = "gpu") -> None:
    """Become a worker of a server elsewhere, in the foreground.

    Raises
    ------
    SlimDermError
        If the environment does not say where the servers are.
    """
    missing = [
        name for name in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI") if name not in os.environ
    ]
    if missing:
        raise SlimDermError(
            f"received no {' and no '.join(missing)}, expected the coordinator's addresses in the "
            "environment; `make up` prints them there"
        )
    os.environ["SLIMDERM_CLONE"] = str(Path.cwd())
    name = f"{pool}-{os.uname().nodename}"
    os.execv(sys.executable, worker(pool, name))


if __name__ == "__main__":
    with command_line():
        {"up": up, "status": status, "down": down, "agent": agent}[sys.argv[1]](*sys.argv[2:])
