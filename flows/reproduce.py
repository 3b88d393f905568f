"""Bring everything up to date as ``dvc repro`` does, but without a process a stage.

Python, Prefect, TensorFlow and MLflow are imported once, not once a stage. Several networks are
trained and pruned side by side, one a process, where there are cores for it.
"""

import os
import shutil
from collections.abc import Collection
from contextlib import ExitStack
from typing import Any, Self

from slimderm.flows.base.side_by_side import WorkerPool
from slimderm.flows.base.terminal import console
from slimderm.flows.config.params import RecordSettings, read_params
from slimderm.flows.record import dvc_lock
from slimderm.flows.record.dvc_repository import writing
from slimderm.flows.scheduling import run_in_order
from slimderm.flows.steps.table import make, stage_of


class LocalTraining:
    """Stages that train in processes beside this one."""

    def __init__(self, workers: WorkerPool) -> None:
        self.workers = workers
        self.held: dict[str, ExitStack] = {}  # their inputs and outputs, as DVC holds them

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        for stage in self.held.values():  # of these nothing is recorded
            stage.__exit__(*error)

    @property
    def running(self) -> Collection[str]:
        """Stages that have not ended."""
        return self.held.keys()

    def submit(self, stage: str) -> None:
        """Start a stage."""
        self.held[stage] = ExitStack()
        self.held[stage].enter_context(dvc_lock.made(stage))
        self.workers.submit(stage, make)

    def wait(self) -> list[str]:
        """Wait until a stage or more has ended; show what it printed, and record it."""
        ended = self.workers.wait()
        for stage, text in ended:
            headline(stage)
            console.print(text.rstrip(), highlight=False, markup=False, soft_wrap=True)
            self.held.pop(stage).close()
        return [stage for stage, _ in ended]


def headline(stage: str) -> None:
    """Print a stage's name."""
    console.print(f"\n[bold]{stage}[/]", highlight=False)


def reproduce() -> list[str]:
    """Run every stale stage and record it; wait for other runs.

    Returns
    -------
    list of str
        The stages that ran.

    Raises
    ------
    RecordError
        If another process makes what a stage needs or makes, or ``dvc.lock`` cannot be read.
    """
    with writing(), ExitStack() as stack:
        wanted = dvc_lock.stages()
        number = num_processes(wanted, read_params().record)
        elsewhere = None
        if number > 1:
            workers = stack.enter_context(WorkerPool(number))
            elsewhere = stack.enter_context(LocalTraining(workers))
        return [stage for stage, _ in run_in_order(wanted, run_here, elsewhere)]


def run_here(stage: str) -> None:
    """Run a stage in this process, and record it."""
    with dvc_lock.made(stage):
        headline(stage)
        make(stage)


def num_processes(wanted: Collection[str], record: RecordSettings) -> int:
    """Return how many networks are trained side by side: one where a GPU is to be shared."""
    if shutil.which("nvidia-smi") is not None:
        return 1
    networks = {stage.partition("@")[2] for stage in wanted if stage_of(stage).trains}
    return min(len(networks), os.cpu_count() or 1, record.workers)
