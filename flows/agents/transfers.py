"""Data versions to and from the remote as Prefect tasks, retried after network failures."""

from collections.abc import Collection, Sequence

from prefect import task
from prefect.runtime import task_run

from slimderm.flows.base.retry import RETRIES
from slimderm.flows.record import data_versions
from slimderm.flows.record.dvc_lock import Version

HOURS = 6  # for the first push of a whole dataset over a slow line


def _named(verb: str, stages: Collection[str]) -> str:
    """Name a transfer by its stage, or by the number of them."""
    return f"{verb} {next(iter(stages))}" if len(stages) == 1 else f"{verb} {len(stages)} stages"


def _push_name() -> str:
    return _named("push", task_run.parameters["stages"])


def _pull_name() -> str:
    return _named("pull", task_run.parameters["version"])


@task(name="push", task_run_name=_push_name, timeout_seconds=HOURS * 3600, **RETRIES)
def push(stages: Sequence[str]) -> None:
    """Send the outputs of some stages to the remote."""
    data_versions.push(stages)


@task(name="pull", task_run_name=_pull_name, timeout_seconds=HOURS * 3600, **RETRIES)
def pull(version: Version) -> None:
    """Fetch the outputs of stages that another machine made, and record them in dvc.lock."""
    data_versions.adopt(version)
