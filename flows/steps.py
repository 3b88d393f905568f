"""Which flow makes each stage of ``dvc.yaml``."""

import pkgutil
from typing import Any

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
