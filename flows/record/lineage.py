"""From a model version to flow run, commit, data and parameters, and back, for `make lineage`."""

from typing import Any

from slimderm.flows.record.mlflow_store import FLOW_RUN, ROOT, Tracker
from slimderm.flows.record.origin import BRANCH, HOST
from slimderm.flows.record.registry import Registry

LEADS = {
    "git commit": "mlflow.source.git.commit",
    "uncommitted changes": "git.dirty",
    "raw data": "dvc.raw",
    "compressed data": "dvc.compressed",
    "split": "dvc.splits.csv",
    "Prefect flow run": FLOW_RUN,
    "sent by the flow run": ROOT,
}
# Shown, and not looked for: a person or a branch leads to too much.
MAKER = {"made by": "mlflow.user", "on": HOST, "git branch": BRANCH}


def lineage(tracker: Tracker, version: Any) -> dict[str, str]:
    """Return a version's flow run, commit, data versions and parameters."""
    run = tracker.client.get_run(version.run_id)
    tags, params = run.data.tags, run.data.params
    found = {
        "model": f"{version.name} version {version.version}",
        "network": f"{tags.get('network', '')} {tags.get('notation', '')}".strip(),
        "MLflow run": version.run_id,
    }
    found |= {name: tags[tag] for name, tag in (LEADS | MAKER).items() if tag in tags}
    found |= {f"parameter {name}": value for name, value in sorted(params.items())}
    return found | {"all parameters": "params.yaml among the run's artifacts"}


def made_of(tracker: Tracker, mark: str) -> list[Any]:
    """Return the versions that a commit, a data version, a run or a flow run led to.

    Parameters
    ----------
    tracker : Tracker
        Where to look.
    mark : str
        A hash or an id, or its first characters, four or more.
    """
    found = []
    for version in Registry(tracker).versions():
        tags = tracker.client.get_run(version.run_id).data.tags
        marks = [version.run_id, *(tags.get(tag, "") for tag in LEADS.values())]
        if any(known.startswith(mark) for known in marks):
            found.append(version)
    return found
