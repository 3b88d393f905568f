"""The table of stages: which flow makes each stage of ``dvc.yaml``; how it runs without Prefect.

A stage is added by its file in this folder, its line here, and its entry in ``dvc.yaml``.
"""

import os
import pkgutil
from dataclasses import dataclass
from typing import Any

from slimderm.flows.record.inputs import steady_inputs


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes
    ----------
    flow : str
        Module below this folder and name of the Prefect flow; imported when it runs, for together
        they take longer than Prefect, and one run seldom needs all.
    group : str
        What it works on: data, images, networks or record; a tag of its deployment.
    trains : bool
        Whether it goes to agents with a GPU where a run uses them.
    chunks : bool
        Whether its images are worked on where ``record.engine`` says.
    """

    flow: str
    group: str
    trains: bool = False
    chunks: bool = False

    def load(self) -> Any:
        """Import the flow."""
        os.environ.setdefault("MPLBACKEND", "agg")  # stages draw into files
        return pkgutil.resolve_name(f"slimderm.flows.steps.{self.flow}")


STAGES = {
    "synthesize": Stage("synthesize:synthesize", "data"),
    "ingest": Stage("ingest:ingest_dataset", "data"),
    "split": Stage("split:split_lesions", "data"),
    "resize": Stage("resize:resize_study", "images", chunks=True),
    "sweep": Stage("sweep:sweep_ranks", "images", chunks=True),
    "storage": Stage("storage:storage", "images", chunks=True),
    "choose": Stage("choose:choose", "images"),
    "compress": Stage("compress:compress", "images", chunks=True),
    "train": Stage("train:train", "networks", trains=True),
    "prune": Stage("prune:prune", "networks", trains=True),
    "study": Stage("study:study", "networks", trains=True),
    "slim": Stage("slim:slim", "networks", trains=True),
    "growth": Stage("growth:growth", "networks"),
    "register": Stage("register:register", "record"),
    "review": Stage("review:review", "record"),
    "report": Stage("report:report", "record"),
}


def stage_of(name: str) -> Stage:
    """Return the line of a stage such as ``train@lenet5``."""
    return STAGES[name.split("@", maxsplit=1)[0]]


def flow_of(stage: str) -> tuple[Any, list[str]]:
    """Return the flow behind a stage, and its arguments: of ``train@lenet5`` the network's name."""
    _, *arguments = stage.split("@")
    return stage_of(stage).load(), arguments


def make(stage: str) -> None:
    """Call the plain function behind a stage, as DVC does, where its inputs are intact.

    Raises
    ------
    RecordError
        If an input holds other bytes than ``dvc.lock`` records, or was changed meanwhile.
    """
    flow, arguments = flow_of(stage)
    with steady_inputs(stage):
        flow.fn(*arguments)
