"""What led to a run: git's commit, DVC's hashes of the data, Prefect's flow run."""

import os
import re
from pathlib import Path

from prefect.context import FlowRunContext
from prefect.runtime import flow_run

from slimderm.flows.base.files import write_json
from slimderm.flows.base.retry import ask_prefect
from slimderm.flows.config import layout
from slimderm.flows.record import dvc_lock
from slimderm.flows.record.mlflow_store import FLOW_RUN, ROOT, SENDER
from slimderm.flows.record.origin import BRANCH, WORKER, branch, context_tags, experiment, git

DATA = tuple(str(path) for path in (layout.RAW, layout.COMPRESSED, layout.SPLITS))
WRITTEN = (layout.DVC_LOCK, layout.PARAMS, layout.METRICS_FILE)  # by runs themselves
MADE = "made.json"  # beside a model: what led to it
DVC_EXPERIMENT = "dvc.experiment"  # tag: the name of the `dvc exp run`


def provenance_tags() -> dict[str, str]:
    """Return the tags that say what a run was made of: git commit, DVC hashes, flow run.

    ``git.dirty`` says whether a file that git tracks differs from the commit. ``dvc.lock``,
    ``params.yaml`` and ``reports/metrics.json`` do not count: runs write them, and what they hold
    is on record beside the commit.
    """
    tags = {
        f"dvc.{Path(path).name}": value for path, value in dvc_lock.output_hashes(*DATA).items()
    }
    if run := _flow_run():
        tags[FLOW_RUN] = run
        tags[ROOT] = os.environ.get(SENDER, run)
    if name := experiment():
        tags[DVC_EXPERIMENT] = name
    return tags | _git_tags()


def _git_tags() -> dict[str, str]:
    commit = git("rev-parse", "HEAD")
    if not commit:
        return {}
    others = (f":(exclude){name}" for name in WRITTEN)
    changed = git("status", "--porcelain", "--untracked-files=no", "--", *others)
    tags = {"mlflow.source.git.commit": commit, "git.dirty": str(bool(changed)).lower()}
    if name := branch():
        tags[BRANCH] = name
    if address := _repository():
        tags["mlflow.source.git.repoURL"] = address
    return tags


def _repository() -> str:
    """Return the address that the clone came from, where others reach it; without a password."""
    address = git("remote", "get-url", "origin")
    shared = re.match(r"https?://|ssh://|[\w.-]+@[\w.-]+:", address)
    return re.sub(r"//[^/@]+@", "//", address) if shared else ""


def write_provenance(folder: Path) -> None:
    """Write what led to a model and who made it beside it, so that a later record has the same."""
    write_json(folder / MADE, context_tags() | provenance_tags())


def _flow_run() -> str | None:
    """Return the id of the flow run that somebody started; steps are runs within that one.

    A worker passes it to the process that it starts; so it reaches the steps that an agent starts.
    """
    if WORKER in os.environ:
        return os.environ[WORKER]
    if FlowRunContext.get() is None:
        return None
    return str(ask_prefect(getattr, flow_run, "root_flow_run_id"))
