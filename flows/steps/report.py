"""Stage report: tables and pictures of everything that came before."""

from prefect import flow

from slimderm.components.common.cache import replacing
from slimderm.components.reporting.page import render, render_markdown
from slimderm.flows.base.files import read_json, write_json, write_text
from slimderm.flows.base.terminal import console
from slimderm.flows.config import layout
from slimderm.flows.config.params import read_params
from slimderm.flows.record.runs import record_files
from slimderm.flows.work.metrics_file import metrics_file
from slimderm.flows.work.report_page import figures, sections
from slimderm.flows.work.report_tables import Results

TITLE = "SlimDerm run"


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
            figure.savefig(draft / f"{name}.png", dpi=110)
    saved = results.saved_storage()
    page = sections(results, saved["sentence"])
    write_text(layout.PAGE, render(TITLE, page))
    write_text(layout.REPORTS / "report.md", render_markdown(TITLE, page))
    registry = read_json(layout.REGISTERED)
    write_json(layout.SUMMARY, {"saved": saved["sentence"], "registry": registry})
    write_json(layout.METRICS_FILE, metrics_file(results, registry))
    record_files(params, "reports", "report", layout.REPORTS)
    console.print(f"report: {layout.PAGE}", highlight=False)
