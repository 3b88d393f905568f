"""What an agent made, as artifacts of its flow run: data for the coordinator, a page for people.

The entry of ``dvc.lock`` travels as a table artifact, whose data are JSON. The files themselves
travel through the DVC remote.
"""

import json
from collections.abc import Mapping
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterKey,
)

from slimderm.components.common.errors import RecordError
from slimderm.flows.base.retry import ask_prefect
from slimderm.flows.record.dvc_lock import Version

KEY = "dvc-lock"


def hand_back(stage: str, entry: Mapping[str, Any], pages: str) -> None:
    """Attach what ``dvc.lock`` records of a stage to this flow run.

    Parameters
    ----------
    stage : str
        Such as ``train@lenet5``.
    entry : mapping
        Its entry in ``dvc.lock``.
    pages : str
        Markdown; says where else to look.
    """
    made = f"What {stage} made"
    table = [{"stage": stage, "entry": dict(entry)}]
    ask_prefect(create_table_artifact, table, KEY, f"What dvc.lock records of {stage}")
    ask_prefect(create_markdown_artifact, f"{_outputs(entry)}\n\n{pages}", "outputs", made)


def _outputs(entry: Mapping[str, Any]) -> str:
    rows = [
        f"| `{out['path']}` | {out.get('size', 0) / 1e6:.2f} | {out.get('nfiles', 1)} |"
        for out in entry.get("outs", [])
    ]
    return "\n".join(["| output | MB | files |", "| --- | ---: | ---: |", *rows])


def version_of(artifact_data: Any) -> Version:
    """Read the data of a table artifact that `hand_back` attached.

    Raises
    ------
    RecordError
        If they are not that.
    """
    try:
        return {row["stage"]: row["entry"] for row in json.loads(artifact_data)}
    except (ValueError, TypeError, KeyError) as error:
        raise RecordError(
            f"artifact {KEY!r}: received {artifact_data!r}, expected stages and their entries of "
            "dvc.lock; bring the agent's clone to the coordinator's commit and run again"
        ) from error


def look_up(run_id: Any) -> tuple[Any, Any]:
    """Return a flow run, and the data that `hand_back` attached to it, or None."""
    attached = ArtifactFilter(
        flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]), key=ArtifactFilterKey(any_=[KEY])
    )
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=attached)
        return client.read_flow_run(run_id), found[0].data if found else None
