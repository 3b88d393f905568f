"""From a model version to flow run, commit, data and parameters, and back, for `make lineage`."""

import sys
from typing import Any

from slimderm.components.common.errors import RecordError
from slimderm.flows.base.terminal import command_line, console
from slimderm.flows.config.params import read_params
from slimderm.flows.record.mlflow_store import FLOW_RUN, ROOT, Tracker
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


def lineage(tracker: Tracker, version: Any) -> dict[str, str]:
    """Return what a version was made of: where it is recorded, and what leads on from there."""
    run = tracker.client.get_run(version.run_id)
    tags, params = run.data.tags, run.data.params
    found = {
        "model": f"{version.name} version {version.version}",
        "network": f"{tags.get('network', '')} {tags.get('notation', '')}".strip(),
        "MLflow run": version.run_id,
    }
    found |= {name: tags[tag] for name, tag in LEADS.items() if tag in tags}
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


def main(model: str, of: str) -> None:
    """Print one version's lineage, or the versions that something led to."""
    tracker = Tracker(read_params().record)
    if model:
        found = lineage(tracker, Registry(tracker).version(model.rpartition("/")[2]))
        width = max(map(len, found))
        for name, value in found.items():
            console.print(
                f"{name:<{width}}  {value}", highlight=False, markup=False, soft_wrap=True
            )
        return
    if len(of) < 4:
        raise RecordError(
            f"OF: received {of!r}, expected four characters or more of a commit, a data version, "
            "an MLflow run or a flow run; or MODEL=version for the way from a model"
        )
    versions = made_of(tracker, of)
    for version in sorted(versions, key=lambda each: int(each.version)):
        console.print(", ".join(list(lineage(tracker, version).values())[:3]), highlight=False)
    if not versions:
        console.print(f"no version of {Registry(tracker).name!r} was made of {of}", highlight=False)


if __name__ == "__main__":
    with command_line():
        main(*sys.argv[1:])
