"""The scheduled look at the champion's inputs: an event where there is an alarm, and what follows.

The automation of Prefect that an alarm should start, such as a message, listens for `ALARM`.
"""

from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.context import FlowRunContext
from prefect.deployments import run_deployment
from prefect.events import emit_event

from slimderm.components.reporting.page import markdown_table
from slimderm.flows.base.retry import ask_prefect
from slimderm.flows.config.params import read_params
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.registry import Registry
from slimderm.flows.serving.watch.look import Look, look

ALARM = "slimderm.inputs.alarm"
PIPELINE = "pipeline/scheduled"


@flow(name="watch", flow_run_name="watch", timeout_seconds=6 * 3600)
def watch(model: str = "") -> list[str]:
    """Compare recorded inputs with training's; return the alarms.

    Where there are some, Prefect gets an event, and the pipeline is started if watch.start_pipeline
    of mlflow/registry.yaml says so.

    Args:
        model: A version, such as slimderm/3 or 3; empty for the champion.
    """
    found = look_at(model)
    if FlowRunContext.get() is not None:
        _show(found)
        if found.alarms:
            _tell(found)
    return found.alarms


def look_at(model: str = "") -> Look:
    """Look at a version, the champion where none is named.

    Raises
    ------
    RecordError
        If there is no such version.
    """
    params = read_params()
    registry = Registry(Tracker(params.record))
    return look(params, registry, version_of(registry, model), make=True)


def version_of(registry: Registry, model: str) -> Any:
    """Return a version by its name and number or its number alone; empty: the champion."""
    if not model:
        return registry.expected("champion")
    return registry.version(model.rpartition("/")[2])


def _show(found: Look) -> None:
    """Show on the run's page what was found."""
    tables = [each for each in (found.inputs.table, found.labels.accuracy) if each is not None]
    said = [*(f"**Alarm**: {each}" for each in found.alarms), *found.inputs.said]
    text = "\n\n".join([*said, *found.labels.said, *map(markdown_table, tables)])
    ask_prefect(create_markdown_artifact, text, "watch", "Inputs beside training's, and labels")


def _tell(found: Look) -> None:
    """Emit the event; start the pipeline where the policy says so."""
    version = found.version
    resource = {
        "prefect.resource.id": f"slimderm.model.{version.name}.{version.version}",
        "prefect.resource.name": f"{version.name} version {version.version}",
    }
    emit_event(ALARM, resource, payload=found.as_json())
    if Registry(Tracker(read_params().record)).settings.watch.start_pipeline:
        ask_prefect(run_deployment, PIPELINE, timeout=0)
