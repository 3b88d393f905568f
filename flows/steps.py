"""Which flow makes each stage of ``dvc.yaml``, and how it runs without Prefect."""

import pkgutil
from typing import Any

from flows.inputs import steady_inputs
from flows.runtime import command_line

# Imported when they run: together they take longer than Prefect, and one run seldom needs all.
STEPS = {
    "synthesize": "flows.synthesize:synthesize",
    "ingest": "flows.ingest:ingest_dataset",
    "split": "flows.split:split_lesions",
    "resize": "flows.resize:resize_study",
    "sweep": "flows.sweep:sweep_ranks",
    "storage": "flows.storage:storage",
    "choose": "flows.choose:choose",
    "compress": "flows.compress:compress",
    "train": "flows.train:train",
    "prune": "flows.prune:prune",
    "study": "flows.study:study",
    "growth": "flows.growth:growth",
    "register": "flows.register:register",
    "review": "flows.review:review",
    "report": "flows.report:report",
}


def flow_of(stage: str) -> tuple[Any, list[str]]:
    """Return the flow behind a stage, and its arguments: of ``train@lenet5`` the network's name."""
    name, *arguments = stage.split("@")
    return pkgutil.resolve_name(STEPS[name]), arguments


def make(step: Any, *arguments: str) -> None:
    """Call the plain function behind a flow, as DVC does, where the stage's inputs are whole.

    Raises
    ------
    RecordError
        If an input holds other bytes than ``dvc.lock`` records, or was changed meanwhile.
    """
    with steady_inputs("@".join((step.name, *arguments))):
        step.fn(*arguments)


def run_step(step: Any, *arguments: str) -> None:
    """Run a step as a process of its own."""
    with command_line():
        make(step, *arguments)
