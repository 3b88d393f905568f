"""Work pools, deployments, and the watch over runs whose machine is lost, made known to Prefect."""

import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta

from slimderm.components.common.errors import SlimDermError

POOLS = {"cpu": [], "gpu": ["--limit", "1"]}  # one training a GPU
WRITER = "writer"  # the queue of runs that write dvc.lock, one at a time
HEARTBEAT_SECONDS = 30  # the least that Prefect allows
SILENT_SECONDS = 120
WATCH = "a run that gives no sign of life has crashed"


def deploy(environment: Mapping[str, str]) -> None:
    """Make the work pools and the deployments of ``prefect.yaml`` known to the server.

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
    pools = [["work-pool", "create", pool, "--type", "process", "--overwrite"] for pool in POOLS]
    _side_by_side([[*prefect, *pool] for pool in pools], known)
    watch = [sys.executable, "-m", "slimderm", "watch"]
    _side_by_side([[*prefect, "--no-prompt", "deploy", "--all"], watch], known)
    limit = ["work-queue", "set-concurrency-limit", WRITER, "1", "--pool", "cpu"]
    _side_by_side([[*prefect, *limit]], known)


def _side_by_side(commands: list[list[str]], environment: Mapping[str, str]) -> None:
    running = [
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for command in commands
    ]
    for process, command in zip(running, commands, strict=True):
        said = process.communicate()[0]
        if process.returncode:
            raise SlimDermError(f"{' '.join(command[2:])} failed: {said}")


def watch() -> None:
    """Have the server mark runs as crashed that stop giving signs of life, as a dead machine's do.

    A run gives one every `HEARTBEAT_SECONDS` once it is running; what a worker or a person ends
    well says so itself. One that a worker has taken must start within the same time.
    """
    from prefect.automations import Automation
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import EventTrigger, Posture
    from prefect.events.schemas.events import ResourceSpecification

    alive, taken = "prefect.flow-run.heartbeat", "prefect.flow-run.Pending"
    wanted = Automation(
        name=WATCH,
        description=f"No sign of life for {SILENT_SECONDS} s; the pipeline sends the job again.",
        trigger=EventTrigger(
            after={alive, taken},
            expect={"prefect.flow-run.*"},  # a heartbeat or a state, whichever
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=SILENT_SECONDS),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message=f"no sign of life for {SILENT_SECONDS} s: its process or machine is lost",
            )
        ],
    )
    try:
        found = Automation.read(name=WATCH)
    except ValueError:  # the first time
        wanted.create()
        return
    if found.trigger != wanted.trigger or found.actions != wanted.actions:
        # Not otherwise: an update forgets the silences that it is counting.
        wanted.id, wanted.enabled = found.id, found.enabled
        wanted.update()
