"""Links to what a run recorded: on Prefect's pages as Markdown, in the report as addresses."""

import os
import urllib.parse

from prefect.utilities.urls import url_for

from slimderm.flows.config.addresses import MLFLOW, PREFECT
from slimderm.flows.record.mlflow_store import ROOT
from slimderm.flows.record.registry import Registry

# Else MLflow opens the view of traces of language models.
VIEW = "workflowType=machine_learning"


def page_links(
    registry: Registry, flow_run: str, *, tag: str = ROOT, report: str | None = None
) -> str:
    """Return links, in Markdown, to MLflow's pages of what a Prefect flow run recorded.

    Parameters
    ----------
    registry : Registry
        Whose pages these are.
    flow_run : str
        Its id.
    tag : str
        Which runs are linked: `FLOW_RUN`, or `ROOT` to include those that agents recorded.
    report : str, optional
        Id of the run that holds the report.
    """
    server = _server(registry)
    if not server:
        return f"MLflow: `{registry.tracker.place}`; `make up` shows it"
    links = {
        "What this run recorded in MLflow": _runs(registry, server, flow_run, tag),
        "the registered model": f"{server}/#/models/{registry.name}",
    }
    if report is not None:
        runs = f"{server}/#/experiments/{registry.tracker.experiment_id}/runs"
        links["the report"] = f"{runs}/{report}/artifacts/index.html"
    return " · ".join(f"[{text}]({link})" for text, link in links.items())


def report_links(
    registry: Registry, *, version: str | None, flow_run: str | None
) -> dict[str, str]:
    """Return what the report links to: text to address, or to what stands instead of one.

    Without servers the addresses are those at which `make up` shows the same.

    Parameters
    ----------
    registry : Registry
        Whose pages these are.
    version : str, optional
        Of the registered model.
    flow_run : str, optional
        Id of the Prefect flow run that a person started.
    """
    known = _server(registry)
    server, when = known or MLFLOW, "" if known else " (after make up)"
    model = f"{server}/#/models/{registry.name}"
    links = {
        f"what was recorded in MLflow{when}": _runs(registry, server, flow_run, ROOT),
        f"the registered model {registry.name} in MLflow{when}": model,
    }
    if version is not None:
        links[f"its version {version}, the challenger{when}"] = f"{model}/versions/{version}"
    if flow_run is None:
        return links | {"Prefect": "no flow run made this report (make flow would)"}
    page = url_for("flow-run", obj_id=flow_run)
    when = "" if page else " (after make up)"
    return links | {f"the flow run in Prefect{when}": page or f"{PREFECT}/runs/flow-run/{flow_run}"}


def _server(registry: Registry) -> str:
    """Address of MLflow's server as browsers reach it; empty where the store is a file."""
    server = os.environ.get("MLFLOW_PAGE", registry.tracker.place)
    return server if server.startswith("http") else ""


def _runs(registry: Registry, server: str, flow_run: str | None, tag: str) -> str:
    """Address of the page of all runs, or of those of one flow run."""
    page = f"{server}/#/experiments/{registry.tracker.experiment_id}/runs?{VIEW}"
    if flow_run is None:
        return page
    query = urllib.parse.quote(f"tags.`{tag}` = '{flow_run}'")
    return f"{page}&searchFilter={query}"
