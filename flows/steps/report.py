"""Stage report: tables and pictures of everything that came before."""

from collections.abc import Mapping
from datetime import UTC, datetime

from prefect import flow

from slimderm.components.common.cache import replacing
from slimderm.components.reporting.embedding import DPI, embed
from slimderm.components.reporting.page import render, render_markdown
from slimderm.flows.base.files import read_json, write_json, write_text
from slimderm.flows.base.terminal import console
from slimderm.flows.config import layout
from slimderm.flows.config.params import Params, read_params
from slimderm.flows.record.mlflow_store import ROOT, Tracker
from slimderm.flows.record.page_links import report_links
from slimderm.flows.record.provenance import provenance_tags
from slimderm.flows.record.registry import Registry
from slimderm.flows.record.runs import record_files
from slimderm.flows.work.metrics_file import metrics_file
from slimderm.flows.work.report_figures import figures
from slimderm.flows.work.report_opening import opening
from slimderm.flows.work.report_page import sections
from slimderm.flows.work.report_sizes import size_sections
from slimderm.flows.work.report_tables import Record, Results

TITLE = "SlimDerm run"
SIZES_TITLE = "Sizes of the paper's networks"


@flow(name="report", flow_run_name="report")
def report() -> None:
    """Read ``data`` and ``models``; write ``reports``, and log it to MLflow."""
    params = read_params()
    results = Results.read(params)
    with replacing(layout.TABLES) as draft:
        for name, frame in results.frames.items():
            frame.to_csv(draft / f"{name}.csv", index=False)
    with replacing(layout.PLOTS) as draft:
        for name, figure in figures(results).items():
            figure.savefig(draft / f"{name}.png", dpi=DPI)
    registry = read_json(layout.REGISTERED)
    _write_pages(params, results, registry)
    saved = results.saved_storage()
    write_json(layout.SUMMARY, {"saved": saved["sentence"], "registry": registry})
    write_json(layout.METRICS_FILE, metrics_file(results, registry))
    record_files(params, "reports", "report", layout.REPORTS)
    console.print(f"report: {layout.PAGE}", highlight=False)


def _write_pages(params: Params, results: Results, registry: Record) -> None:
    """Write the report as HTML and as Markdown, and the page of sizes."""
    tags, challenger = provenance_tags(), registry["challenger"]
    links = report_links(
        Registry(Tracker(params.record)),
        version=challenger and challenger["version"],
        flow_run=tags.get(ROOT),
    )
    first = opening(
        results,
        registry,
        rule=params.prune.acceptance,
        made=_made(tags),
        links=links | {"sizes of the paper's networks": layout.SIZES_PAGE.name},
    )
    page = sections(results, results.saved_storage()["sentence"])
    sizes = size_sections(results.frames)
    write_text(layout.PAGE, render(TITLE, embed(page, layout.REPORTS), first))
    write_text(layout.SIZES_PAGE, render(SIZES_TITLE, embed(sizes, layout.REPORTS)))
    write_text(layout.REPORTS / "report.md", render_markdown(TITLE, [*page, *sizes], first))


def _made(tags: Mapping[str, str]) -> list[str]:
    """Say when, and by which code.

    The day, not the minute: the same report made again is the same file, and MLflow has it once.
    """
    commit = tags.get("mlflow.source.git.commit", "")
    dirty = " with uncommitted changes" if tags.get("git.dirty") == "true" else ""
    code = f"commit {commit[:10]}{dirty}" if commit else "code outside a clone"
    return [f"{datetime.now(UTC):%Y-%m-%d}", code]
