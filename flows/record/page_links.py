"""Links from Prefect's pages to what a flow run recorded in MLflow."""

import os
import urllib.parse

from slimderm.flows.record.mlflow_store import ROOT
from slimderm.flows.record.registry import Registry


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
    tracker = registry.tracker
    server = os.environ.get("MLFLOW_PAGE", tracker.place)  # as browsers reach it
    if not server.startswith("http"):
        return f"MLflow: `{server}`; `make up` shows it"
    experiment = f"{server}/#/experiments/{tracker.experiment_id}/runs"
    query = urllib.parse.quote(f"tags.`{tag}` = '{flow_run}'")
    # Else MLflow opens the view of traces of language models.
    view = "workflowType=machine_learning"
    links = {
        "What this run recorded in MLflow": f"{experiment}?{view}&searchFilter={query}",
        "the registered model": f"{server}/#/models/{registry.name}",
    }
    if report is not None:
        links["the report"] = f"{experiment}/{report}/artifacts/index.html"
    return " · ".join(f"[{text}]({link})" for text, link in links.items())
