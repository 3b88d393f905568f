"""How trainings and pruning steps stand in MLflow: one parent a network, one child a step."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from prefect.context import FlowRunContext
from prefect.runtime import flow_run

from slimderm.components.common.cache import content_key
from slimderm.components.reporting import training_plots
from slimderm.flows.base.files import file_hash, read_json, write_json
from slimderm.flows.base.retry import ask_prefect
from slimderm.flows.config import layout
from slimderm.flows.config.choice import storage_choice
from slimderm.flows.config.params import Params, read_params
from slimderm.flows.record import dvc_lock
from slimderm.flows.record.mlflow_store import FLOW_RUN, ROOT, SENDER, Run, Tracker
from slimderm.flows.record.served import KERAS_FILE

DATA = tuple(str(path) for path in (layout.RAW, layout.COMPRESSED, layout.SPLITS))
WRITTEN = (layout.DVC_LOCK, layout.PARAMS, layout.METRICS_FILE)  # by runs themselves
MADE = "made.json"  # beside a model: what led to it
HISTORY = "history.csv"  # beside a model: its training, where there was one
LEDGER = ("slim_bytes", "float32_bytes")  # metrics among what a ledger holds
LOGGED = (".json", ".csv", ".png", ".slim", ".txt")  # files beside a model that MLflow gets
WORKER = "PREFECT__FLOW_RUN_ID"  # Prefect's own, in what a worker starts


def provenance_tags() -> dict[str, str]:
    """Return the tags that say what a run was made of: git commit, DVC hashes, flow run.

    ``git.dirty`` says whether a file that git tracks differs from the commit. ``dvc.lock``,
    ``params.yaml`` and ``reports/metrics.json`` do not count: runs write them, and what they hold
    is on record beside the commit.
    """
    tags = {
        f"dvc.{Path(path).name}": value for path, value in dvc_lock.output_hashes(*DATA).items()
    }
    if run := _flow_run():
        tags[FLOW_RUN] = run
        tags[ROOT] = os.environ.get(SENDER, run)
    if commit := _git("rev-parse", "HEAD"):
        others = (f":(exclude){name}" for name in WRITTEN)
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", *others)
        tags["mlflow.source.git.commit"] = commit
        tags["git.dirty"] = str(bool(changed)).lower()
    return tags


def write_provenance(folder: Path) -> None:
    """Write the provenance tags beside a model, so that a later record has the same."""
    write_json(folder / MADE, provenance_tags())


def _flow_run() -> str | None:
    """Return the id of the flow run that somebody started; steps are runs within that one.

    A worker passes it to the process that it starts; so it reaches the steps that an agent starts.
    """
    if WORKER in os.environ:
        return os.environ[WORKER]
    if FlowRunContext.get() is None:
        return None
    return str(ask_prefect(getattr, flow_run, "root_flow_run_id"))


def _git(*arguments: str) -> str:
    """Return git's output; empty where this folder is no clone."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def record_network(tracker: Tracker, network: str, trainer_key: str) -> str:
    """Return the parent run of a network on one version of the data and of the recipe."""
    key = content_key(parent=network, trainer=trainer_key)
    return tracker.parent(key, network, {"network": network, **provenance_tags()})


def record_folder(
    tracker: Tracker, parent_id: str, name: str, folder: Path, description: Mapping[str, Any]
) -> None:
    """Log a training's folder as a child run, unless a finished run has its key already.

    A training that is judged again by other thresholds stays one run and gets the new verdict. One
    that has been judged on the test part meanwhile gets these metrics.

    Parameters
    ----------
    tracker : Tracker
        Writes to MLflow.
    parent_id : str
        The network's parent run.
    name : str
        The run's name: ``original``, ``compressed``, or a step's R-notation.
    folder : Path
        Holds ``record.json``, ``history.csv``, ``model.keras``, and, optionally, `MADE`.
    description : mapping
        What a model needs beside its weights; logged as the model's metadata.
    """
    record, verdict = read_json(folder / "record.json"), {}
    if "verdict" in record:
        given = record["verdict"]
        verdict = {"accepted": str(given["accepted"]).lower(), "verdict": given["word"]}
        verdict["verdict.reason"] = given["reason"]
    known = tracker.find(record["key"])
    if known is not None:
        run = Run(tracker, known.info.run_id)
        # A run without a verdict is a baseline's, from which pruning starts; it gets none.
        if "accepted" in known.data.tags and verdict.items() - known.data.tags.items():
            _judge_again(run, folder, verdict)
        if record["metrics"].keys() - known.data.metrics.keys():
            _record_figures(run, name, record)
            run.artifacts(folder / "record.json")
        return
    made = folder / MADE
    lead = read_json(made) if made.exists() else provenance_tags()
    tags = {"network": record["network"], "variant": record["variant"], **lead}
    if verdict:
        tags |= {"notation": name, **verdict}
    with tracker.child(parent_id, record["key"], name, tags) as run:
        run.params(_params(record) | _settings(record))
        _record_figures(run, name, record)
        if (folder / HISTORY).exists():  # some passes train nothing
            _record_history(run, name, pd.read_csv(folder / HISTORY))
        for file in sorted(folder.iterdir()):
            if file.suffix in LOGGED:
                run.artifacts(file)
        run.artifacts(layout.PARAMS)
        run.model(folder / KERAS_FILE, description)


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


def _record_figures(run: Run, name: str, record: Mapping[str, Any]) -> None:
    """Log what was measured: metrics, sizes, and the confusion matrix where there is one."""
    run.metrics(record["metrics"] | _sizes(record))
    if "confusion" in record:
        run.figure(training_plots.confusion_matrices({name: record}), "confusion.png")


def _record_history(run: Run, name: str, history: pd.DataFrame) -> None:
    run.figure(training_plots.learning_curves({name: history}), "learning_curve.png")
    for row in history.to_dict("records"):
        curves = {f"epoch_{key}": value for key, value in row.items() if key != "epoch"}
        run.metrics(curves, step=int(row["epoch"]))


def _judge_again(run: Run, folder: Path, verdict: Mapping[str, str]) -> None:
    """Put a new verdict on the run of a training that is known, and the thresholds behind it."""
    run.artifacts(folder / "record.json")
    run.artifacts(layout.PARAMS)
    for name, value in verdict.items():
        run.tracker.client.set_tag(run.run_id, name, value)


def _settings(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the training's settings: parameters in effect, and how its images were stored."""
    params = read_params()
    found = {f"train.{name}": value for name, value in params.train.in_effect().items()}
    found |= record.get("settings", {})
    found |= {"split.seed": params.split.seed, "split.fill": params.split.fill}
    if "verdict" in record:
        found |= {f"prune.{name}": value for name, value in params.prune.in_effect().items()}
    if record["variant"] == "compressed" and layout.CHOICE.exists():
        chosen = asdict(storage_choice().option)
        found |= {f"images.{name}": value for name, value in chosen.items()}
    return found


def _params(record: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("network", "variant", "precision", "best_epoch", "notation", "percents")
    found = {name: record[name] for name in kept if name in record}
    return found | {f"widths_{name}": value for name, value in record["widths"].items()}


def _sizes(record: Mapping[str, Any]) -> dict[str, float]:
    kept = (
        "num_parameters",
        "share_of_parameters",
        "multiply_accumulates",
        "bytes",
        "bytes_with_optimizer",
        "training_seconds",
        "latency_p50_ms",
    )
    found = {name: float(record[name]) for name in kept if name in record}
    counted = record.get("ledger", {})
    return found | {name: float(counted[name]) for name in LEDGER if name in counted}


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
