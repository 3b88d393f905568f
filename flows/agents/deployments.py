"""Work pools and deployments on Prefect's server."""

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from slimderm.components.common.errors import SlimDermError
from slimderm.flows.config import layout
from slimderm.flows.steps.table import STAGES

POOLS = {"cpu": [], "gpu": ["--limit", "1"]}  # one training a GPU
WRITER = "writer"  # the queue of runs that write dvc.lock, one at a time
HEARTBEAT_SECONDS = 30  # the least that Prefect allows


def deploy(environment: Mapping[str, str]) -> None:
    """Create the work pools that are not there, and create or update deployments, on the server.

    Parameters
    ----------
    environment : mapping
        Names the server, ``PREFECT_API_URL``.

    Raises
    ------
    SlimDermError
        If Prefect refuses; the message is its own.
    """
    # SLIMDERM_CLONE is for workers: deploying with it would write this clone into each deployment
    known = {name: value for name, value in environment.items() if name != "SLIMDERM_CLONE"}
    prefect = [sys.executable, "-m", "prefect"]
    # Without --overwrite: one of another type (docs/kubernetes.md), or with limits, stays as it is.
    pools = [["work-pool", "create", pool, "--type", "process"] for pool in POOLS]
    _side_by_side([[*prefect, *pool] for pool in pools], known, done="already exists")
    automations = [sys.executable, "-m", "slimderm", "automations"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, layout.PREFECT_YAML.name)
        file.write_text(yaml.safe_dump(deployments()))
        deployed = [*prefect, "--no-prompt", "deploy", "--all", "--prefect-file", str(file)]
        _side_by_side([deployed, automations], known)
    limit = ["work-queue", "set-concurrency-limit", WRITER, "1", "--pool", "cpu"]
    _side_by_side([[*prefect, *limit]], known)


def deployments() -> dict[str, Any]:
    """Return the content of ``prefect.yaml`` with a deployment for each line of `STAGES`."""
    document: dict[str, Any] = yaml.safe_load(layout.PREFECT_YAML.read_text())
    for name, stage in STAGES.items():
        own = {
            "name": name,
            "tags": [stage.group],
            "entrypoint": f"flows/pipeline.py:step_{name}",
            "parameters": {"agents": True} if stage.trains else {},
        }
        document["deployments"].append(document["definitions"]["step"] | own)
    return document


def _side_by_side(
    commands: list[list[str]], environment: Mapping[str, str], done: str | None = None
) -> None:
    """Run commands; one that fails is an error, unless it says `done`."""
    running = [
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for command in commands
    ]
    for process, command in zip(running, commands, strict=True):
        said = process.communicate()[0]
        if process.returncode and not (done and done in said):
            raise SlimDermError(f"{' '.join(command[2:])} failed: {said}")
