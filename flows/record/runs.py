"""How trainings and pruning steps stand in MLflow: one parent a network, one child a step."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slimderm.components.common.cache import content_key
from slimderm.components.dataset.variants import COMPRESSED, ORIGINAL
from slimderm.flows.base.files import file_hash
from slimderm.flows.config.params import Params
from slimderm.flows.record.datasets import CONTEXTS, log_datasets
from slimderm.flows.record.finished_training import FinishedTraining
from slimderm.flows.record.mlflow_run import Run
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.parents import summarise
from slimderm.flows.record.provenance import provenance_tags
from slimderm.flows.record.run_list import share_view


def record_network(tracker: Tracker, network: str, trainer_key: str) -> str:
    """Return the parent run of a network on one version of the data and of the recipe.

    Its summary is brought up to date: a child may have ended just before its process was killed.
    """
    share_view(tracker)
    key = content_key(parent=network, trainer=trainer_key)
    tags = {"network": network, **provenance_tags()}
    parent_id = tracker.parent(key, network, tags)
    log_datasets(Run(tracker, parent_id), tags, (ORIGINAL, COMPRESSED), tuple(CONTEXTS))
    summarise(tracker, parent_id)
    return parent_id


def record_folder(
    tracker: Tracker, parent_id: str, name: str, folder: Path, description: Mapping[str, Any]
) -> None:
    """Log a training's folder as a child run, unless a finished run has its key already.

    A training that is judged again by other thresholds stays one run and gets the new verdict. One
    that has been judged on the test part meanwhile gets these metrics. The parent's summary
    follows.

    Parameters
    ----------
    tracker : Tracker
        Writes to MLflow.
    parent_id : str
        The network's parent run.
    name : str
        ``original``, ``compressed``, or a step's R-notation; the run's name begins with the network
        and it.
    folder : Path
        Holds ``record.json``, ``history.csv``, ``model.keras``, and, optionally, `MADE`.
    description : mapping
        What a model needs beside its weights; logged as the model's metadata.
    """
    training = FinishedTraining(name, folder)
    known = tracker.find(training.record["key"])
    if known is None:
        training.record_anew(tracker, parent_id, description)
    elif training.record_news(Run(tracker, known.info.run_id), known.data):
        parent_id = known.data.tags["mlflow.parentRunId"]  # a baseline may be another recipe's, too
    else:
        return
    summarise(tracker, parent_id)


def record_recipe(tracker: Tracker, summary: Mapping[str, Any], folder: Path) -> None:
    """Log what each pass of a recipe made as child runs of its network's run.

    Parameters
    ----------
    tracker : Tracker
        Writes to MLflow.
    summary : mapping
        As `slimderm.flows.work.slim_files.write_recipe` returns it.
    folder : Path
        Holds a folder for each record.
    """
    parent = record_network(tracker, summary["network"], summary["trainer"])
    _, *made = summary["passes"]  # what the first network is, pruning has recorded
    for record in [*made, *summary["seeds"]]:
        place = folder / record["folder"]
        record_folder(tracker, parent, record["notation"], place, summary["description"])


def _files_key(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return content_key(report={str(path): file_hash(path) for path in files})


def record_files(params: Params, group: str, name: str, folder: Path) -> None:
    """Log a folder of tables and pictures as a run of its own, once for the same content.

    Parameters
    ----------
    params : Params
        The section record names the tracking server.
    group : str
        Name of the parent run: ``reports`` or ``studies``.
    name : str
        The run's name.
    folder : Path
        Logged whole.
    """
    tracker, key = Tracker(params.record), _files_key(folder)
    if tracker.find(key) is None:
        parent = tracker.parent(content_key(parent=group), group, provenance_tags())
        with tracker.child(parent, key, name, provenance_tags()) as run:
            run.artifacts(folder)


def find_report(tracker: Tracker, folder: Path) -> str | None:
    """Return the id of the run that holds the report that lies in a folder, or None."""
    run = tracker.find(_files_key(folder))
    return str(run.info.run_id) if run else None
