"""Stage study: prune one network by several methods side by side, and compare them."""

from prefect import flow

from slimderm.components.common.cache import replacing
from slimderm.flows.base.terminal import console, note
from slimderm.flows.config import layout
from slimderm.flows.config.params import read_params
from slimderm.flows.record.runs import record_files
from slimderm.flows.work.studies import Study, report_run, write_study


@flow(name="study", flow_run_name="study-{name}")
def study(name: str) -> None:
    """Write ``data/studies/<name>``: ``runs.csv``, ``summary.csv``, ``differences.csv``, pictures.

    All of it is logged to MLflow, too.
    ``predictions.npz`` holds every network's probabilities on the test part.
    """
    params = read_params()
    own = Study(params, params.study(name))
    runs = []
    for run in own.runs():
        runs.append(run)
        report_run(name, run)
    folder = layout.STUDIES / name
    with replacing(folder) as draft:
        write_study(draft, runs, own, name)
    record_files(params, "studies", name, folder)
    console.print(f"study {name}: {len(runs)} networks, tables and pictures in {folder}")
    note(f"study {name}", own.source(own.settings.variants[0]).copies)
