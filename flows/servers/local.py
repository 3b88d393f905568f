"""MLflow's and Prefect's servers and two workers on this machine: up, status, down, agent.

What ``infra/compose.yaml`` starts as containers, these start as processes: on loopback, with SQLite
and local folders, or with what the servers' own variables say (``MLFLOW_BACKEND_STORE_URI``,
``MLFLOW_ARTIFACTS_DESTINATION``, ``PREFECT_SERVER_DATABASE_CONNECTION_URL``). An address that holds
a password stays in the environment and is never part of a command.
"""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from slimderm.components.common.errors import SlimDermError
from slimderm.flows.agents.deployments import HEARTBEAT_SECONDS, POOLS, deploy
from slimderm.flows.base.terminal import console
from slimderm.flows.config import layout
from slimderm.flows.config.addresses import HOST, MLFLOW, PREFECT
from slimderm.flows.config.params import read_params
from slimderm.flows.record.mlflow_store import make_database
from slimderm.flows.record.s3 import CHECKSUMS, ask_for_credentials
from slimderm.flows.servers.doctor import gpu
from slimderm.flows.servers.prefect_database import database
from slimderm.flows.servers.service import Service

PYTHON = [sys.executable, "-m"]


def environment() -> dict[str, str]:
    """Return the environment of servers and workers: where they find each other, and the clone."""
    own = {
        "MLFLOW_TRACKING_URI": MLFLOW,
        "PREFECT_API_URL": f"{PREFECT}/api",
        "SLIMDERM_CLONE": str(Path.cwd()),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # its jobs serve language models
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        **CHECKSUMS,
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
    }
    prefect = {setting.name: address for setting, address in database().items()}
    return {**os.environ, **prefect, **own, "PYTHONUNBUFFERED": "1"}


def servers() -> list[Service]:
    """Return MLflow's and Prefect's servers."""
    record = read_params().record
    mlflow = [*PYTHON, "mlflow", "server", "--workers", "2", "--host", HOST]
    mlflow += ["--port", MLFLOW.rsplit(":", 1)[1]]
    if HOST not in ("127.0.0.1", "localhost"):  # else MLflow refuses its own page
        mlflow += ["--allowed-hosts", f"localhost:*,127.0.0.1:*,{HOST}:*"]
        mlflow += ["--cors-allowed-origins", MLFLOW]
    if "MLFLOW_AUTH_CONFIG_PATH" in os.environ:
        mlflow += ["--app-name", "basic-auth"]
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


def workers(pools: Iterable[str] = POOLS) -> list[Service]:
    """Return the worker of each pool."""
    return [Service(f"worker-{pool}", worker(pool, f"{pool}-here")) for pool in pools]


def up(*pools: str) -> None:
    """Start what is not running: servers, then deployments, then workers.

    Parameters
    ----------
    *pools : str
        Those that get a worker on this machine; all if none is named.

    Raises
    ------
    SlimDermError
        If something ends or does not answer in time; the message names its log. If a port is
        another program's. If they are to listen on an address that other machines cannot reach. If
        there is no such pool.
    """
    if unknown := set(pools) - set(POOLS):
        raise SlimDermError(
            f"POOLS: received {', '.join(sorted(unknown))}, expected some of {', '.join(POOLS)}"
        )
    if HOST in ("0.0.0.0", "::"):
        raise SlimDermError(
            f"SERVERS_HOST: received {HOST}, expected one address of this machine, the one that "
            "browsers and agents use; pages and workers are given it"
        )
    mlflow, prefect = servers()
    for service in (mlflow, prefect):
        service.check_port()
    ask_for_credentials(os.environ.get("MLFLOW_ARTIFACTS_DESTINATION", ""))
    layout.SERVERS.mkdir(exist_ok=True)
    if "MLFLOW_BACKEND_STORE_URI" not in os.environ:
        record = read_params().record
        make_database(record.tracking_uri, record.artifacts)
    for service in (mlflow, prefect):
        service.start(environment())
    prefect.wait()
    deploy(environment())
    mlflow.wait()
    for service in workers(pools or POOLS):
        service.start(environment())
    status()
    console.print(
        f"for your shell: export MLFLOW_TRACKING_URI={MLFLOW} PREFECT_API_URL={PREFECT}/api",
        highlight=False,
        soft_wrap=True,
    )


def states() -> list[tuple[str, str, str]]:
    """List servers and workers: name, state, and its page or, where it has none, its log."""
    found = []
    for service in (*servers(), *workers()):
        started = service.running()
        ok = started is not None and started.answers()
        state = "runs" if ok else "does not answer" if started else "stopped"
        found.append((service.name, state, str((started or service).page or service.log)))
    return found


def status() -> None:
    """Print what runs, where its page is, and where it writes."""
    for name, state, place in states():
        console.print(f"{name:<11} {state:<8} {place}", highlight=False, soft_wrap=True)


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
        If the environment does not say where the servers are, or a pool of GPUs is to get a machine
        whose GPU Keras's backend does not see: every training would run on the CPU silently.
    """
    missing = [
        name for name in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI") if name not in os.environ
    ]
    if missing:
        raise SlimDermError(
            f"received no {' and no '.join(missing)}, expected the coordinator's addresses in the "
            "environment; `make up` prints them there"
        )
    if pool == "gpu" and (found := gpu()).ok is False:
        raise SlimDermError(f"GPU: {found.message}")
    os.environ["SLIMDERM_CLONE"] = str(Path.cwd())
    os.environ["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] = str(HEARTBEAT_SECONDS)
    name = f"{pool}-{os.uname().nodename}"
    if chosen := os.environ.get("CUDA_VISIBLE_DEVICES"):
        name += f"-{chosen}"
    os.execv(sys.executable, worker(pool, name))
