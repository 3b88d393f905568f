"""Stages on agents, from the coordinator's side: submit them, wait, take their results."""

import subprocess
import time
from collections import Counter
from itertools import count
from typing import Any

import yaml
from prefect import get_run_logger
from prefect.deployments import run_deployment

from slimderm.components.common.cache import content_key
from slimderm.components.common.errors import RecordError, TransferError
from slimderm.flows.agents.handover import look_up, version_of
from slimderm.flows.agents.transfers import pull, push
from slimderm.flows.base.retry import ask_prefect
from slimderm.flows.config import layout
from slimderm.flows.record import dvc_lock

DEPLOYMENT = "agent/agent"
# What a job's result depends on beside data and parameters; agents run `python -m slimderm...`.
CODE = ("components", "flows", "slimderm", str(layout.DVC_YAML), str(layout.REQUIREMENTS_LOCK))
TRIES = 3  # of a stage whose agent is lost


def committed() -> str:
    """Return the commit that is checked out, if the code does not differ from it.

    Raises
    ------
    RecordError
        If code differs from the commit: agents would run something else.
    """
    git = ["git", "status", "--porcelain", "-z", "--no-renames", "--", *CODE]
    output = subprocess.run(git, capture_output=True, text=True, check=True).stdout
    changed = [entry[3:] for entry in output.split("\0") if entry]  # two letters, a blank, a path
    if changed:
        raise RecordError(
            f"received a clone with uncommitted code ({', '.join(changed[:3])}), expected what "
            "agents can check out; commit and push it (params.yaml may differ)"
        )
    head = ["git", "rev-parse", "HEAD"]
    return subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()


class AgentJobs:
    """The stages that agents run at this moment.

    A job's idempotency key is the hash of its parameters, so a coordinator that is started again
    finds the jobs that it submitted and takes their results. A job is sent again if its agent is
    lost, or if it ended in an earlier run and its outputs are gone from the remote.
    """

    def __init__(self) -> None:
        self.commit = committed()
        self.params = yaml.safe_load(layout.PARAMS.read_text())
        self.running: dict[str, Any] = {}  # stage to its flow run as it was when sent, or found
        self.lost: Counter[str] = Counter()
        self.gone: set[Any] = set()  # ids of flow runs whose outputs are gone

    def submit(self, stage: str) -> None:
        """Send a stage to a free agent."""
        version = dvc_lock.inputs_of(stage)
        push(list(version))
        job = {
            "stage": stage,
            "commit": self.commit,
            "params": self.params,
            "version": version,
        }
        for attempt in count():
            key = content_key(**job, attempt=attempt)
            run = ask_prefect(
                run_deployment, DEPLOYMENT, parameters=job, timeout=0, idempotency_key=key
            )
            if not run.state.is_final() or (run.state.is_completed() and run.id not in self.gone):
                break
        self.running[stage] = run

    def wait(self, seconds: float = 2.0) -> list[str]:
        """Wait until at least one stage is done, and fetch what was made.

        Raises
        ------
        RecordError
            If a stage failed on its agent, or ran other code, data or parameters than are here.
        """
        while True:
            done = [stage for stage, run in self.running.items() if self._is_done(stage, run)]
            for stage in done:
                del self.running[stage]
            if done:
                return done
            time.sleep(seconds)

    def _is_done(self, stage: str, sent: Any) -> bool:
        run, made = ask_prefect(look_up, sent.id)
        if not run.state.is_final():
            return False
        if run.state.is_crashed() and self.lost[stage] + 1 < TRIES:
            self.lost[stage] += 1
            get_run_logger().warning("%s: its agent is lost; the job is sent again", stage)
            self.submit(stage)
            return False
        if not run.state.is_completed():
            raise RecordError(
                f"{stage} ended as {run.state.name} on its agent (flow run {run.name}, "
                f"{run.id}): {run.state.message}"
            )
        version = version_of(made)
        try:
            pull(version)
        except TransferError:
            if not sent.state.is_completed():  # what an agent has just made must be there
                raise
            get_run_logger().warning("%s: its outputs are gone; the job is sent again", stage)
            self.gone.add(run.id)
            self.submit(stage)
            return False
        if dvc_lock.is_stale(stage):
            raise RecordError(
                f"{stage}: received a result of other code, data or parameters than are here, "
                "expected one of these; run again"
            )
        return True
