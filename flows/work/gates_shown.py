"""The verdict of the gates where people look: in the name of the flow run, and on its page."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

from slimderm.components.evaluation.gates import PASSED
from slimderm.flows.base.files import read_json
from slimderm.flows.base.retry import ask_prefect
from slimderm.flows.config import layout

COLUMNS = ("role", "version", "gates", "against", "reason", "file")


@contextmanager
def gates_shown() -> Iterator[None]:
    """Show what a review inside the block found, also where it ends the run.

    The block is the review alone. DVC then puts its own copy in the file's place, whose time is
    that of an earlier review where both found the same.
    """
    before = _written()
    try:
        yield
    finally:
        if _written() != before:
            _show(read_json(layout.REVIEW))


def _written() -> int:
    """Return the time of the last review in ns; 0 where there is none."""
    return layout.REVIEW.stat().st_mtime_ns if layout.REVIEW.exists() else 0


def _show(judged: Mapping[str, Mapping[str, Any]]) -> None:
    ask_prefect(create_markdown_artifact, page(judged), "gates", "What the gates found")
    if judged:
        ask_prefect(_rename, f"{flow_run.name}, gates: {words(judged)}")


def _rename(name: str) -> None:
    with get_client(sync_client=True) as client:
        client.update_flow_run(flow_run.id, name=name).raise_for_status()


def words(judged: Mapping[str, Mapping[str, Any]]) -> str:
    """Say in a few words what a review found: what did not pass comes first."""
    worst_first = sorted(judged.items(), key=lambda item: item[1]["gates"] == PASSED)
    return ", ".join(f"{role} {found['version']} {found['gates']}" for role, found in worst_first)


def page(judged: Mapping[str, Mapping[str, Any]]) -> str:
    """Lay out what a review found as a table in Markdown."""
    import pandas as pd

    from slimderm.components.reporting.page import markdown_table

    if not judged:
        return "No version was judged: no network was accepted."
    found = [{"role": role, **each} for role, each in judged.items()]
    rows = [{name: each.get(name, "") for name in COLUMNS} for each in found]
    return markdown_table(pd.DataFrame(rows))
