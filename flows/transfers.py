"""Data versions to and from the remote as Prefect tasks, tried again where the network failed."""

from collections.abc import Sequence
from typing import Any

from prefect import task
from prefect.runtime import task_run
from prefect.tasks import exponential_backoff

from components.errors import TransferError
from flows import ledger, versions


def is_worth_another_try(_task: Any, _run: Any, state: Any) -> bool:
    """Tell whether a task failed for its connection and not for its work."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, TransferError | OSError)


PATIENT: dict[str, Any] = {
    "retries": 5,
    "retry_delay_seconds": exponential_backoff(backoff_factor=2),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": is_worth_another_try,
}


@task(name="push", task_run_name="push {stages}", **PATIENT)
def push(stages: Sequence[str]) -> None:
    """Send the outputs of some stages to the remote."""
    versions.push(stages)


def _name() -> str:
    return f"pull {list(task_run.parameters['version'])}"


@task(name="pull", task_run_name=_name, **PATIENT)
def pull(version: ledger.Version) -> None:
    """Take up the stages of a version, which another machine made."""
    versions.adopt(version)
