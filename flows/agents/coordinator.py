"""Stages on agents, from the coordinator's side: submitted, waited for, taken up."""

import subprocess
import time
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

import yaml
from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.deployments import run_deployment

from slimderm.components.common.cache import content_key
from slimderm.components.common.errors import RecordError, TransferError
from slimderm.flows.agents.agent import from_markdown
from slimderm.flows.agents.transfers import pull, push
from slimderm.flows.base.retry import ask_prefect
from slimderm.flows.record import dvc_lock as ledger

DEPLOYMENT = "agent/agent"
CODE = ("components", "flows", "dvc.yaml", "requirements.lock")
TRIES = 3  # of a stage whose agent is lost


def committed() -> str:
    """Return the commit that is checked out, if the code is as the commit has it.

    Raises
    ------
    RecordError
        If code differs from the commit: agents would run something else.
    """
    git = ["git", "status", "--porcelain", "-z", "--no-renames", "--", *CODE]
    said = subprocess.run(git, capture_output=True, text=True, check=True).stdout
    changed = [entry[3:] for entry in said.split("\0") if entry]  # two letters, a blank, a path
    if changed:
        raise RecordError(
            f"received a clone with uncommitted code ({', '.join(changed[:3])}), expected what "
            "agents can check out; commit and push it (params.yaml may differ)"
        )
    head = ["git", "rev-parse", "HEAD"]
    return subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()


class Fleet:
    """Stages that run on agents at this moment.

    A job is known by the content of what it is given: a coordinator that is started again finds
    what it has submitted, and takes up what was finished meanwhile. A job whose agent is lost is
    sent again; so is one that had ended before, if its outputs are gone from the remote.
    """

    def __init__(self) -> None:
        self.commit = committed()
        self.params = yaml.safe_load(Path("params.yaml").read_text())
        self.running: dict[str, Any] = {}  # stage to its flow run as it was when sent, or found
        self.lost: Counter[str] = Counter()
        self.gone: set[Any] = set()  # ids of flow runs whose outputs nobody has any more

    def submit(self, stage: str) -> None:
        """Send a stage to whichever agent is free."""
        version = ledger.inputs_of(stage)
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
        """Wait until a stage or more is done; take up what they made.

        Raises
        ------
        RecordError
            If a stage failed on its agent, or made something else than this clone expects.
        """
        while True:
            done = [stage for stage, run in self.running.items() if self._is_done(stage, run)]
            for stage in done:
                del self.running[stage]
            if done:
                return done
            time.sleep(seconds)

    def _is_done(self, stage: str, sent: Any) -> bool:
        run, made = ask_prefect(_look, sent.id)
        if not run.state.is_final():
            return False
        if run.state.is_crashed() and self.lost[stage] + 1 < TRIES:
            self.lost[stage] += 1
            get_run_logger().warning("%s: its agent is lost; sent again", stage)
            self.submit(stage)
            return False
        if not run.state.is_completed():
            raise RecordError(
                f"{stage} ended as {run.state.name} on its agent (flow run {run.name}, "
                f"{run.id}): {run.state.message}"
            )
        version = from_markdown(made[0].data)
        try:
            pull(version)
        except TransferError:
            if not sent.state.is_completed():  # what an agent has just made must be there
                raise
            get_run_logger().warning("%s: its outputs are gone; sent again", stage)
            self.gone.add(run.id)
            self.submit(stage)
            return False
        if ledger.is_stale(stage):
            raise RecordError(
                f"{stage} came back from its agent for other code, data or parameters than are "
                "here; run again"
            )
        return True


def _look(run_id: Any) -> tuple[Any, list[Any]]:
    """Read a flow run and what it made."""
    made = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
    with get_client(sync_client=True) as client:
        return client.read_flow_run(run_id), client.read_artifacts(artifact_filter=made)
