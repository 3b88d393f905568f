"""How trainings and pruning steps stand in MLflow: one parent a network, one child a step."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components.reporting import plots
from flows import ledger
from flows.params import Params
from flows.runtime import content_key, file_hash, load_keras, read_json
from flows.tracking import Tracker

DATA = ("data/raw", "data/compressed", "data/splits.csv")


def lineage() -> dict[str, str]:
    """Tags that lead from a run to code, data and flow run: git commit, DVC hashes, an id."""
    tags = {f"dvc.{Path(path).name}": value for path, value in ledger.output_hashes(*DATA).items()}
    if "PREFECT__FLOW_RUN_ID" in os.environ:  # Prefect's own, in what a worker starts
        tags["prefect.flow_run"] = os.environ["PREFECT__FLOW_RUN_ID"]
    git = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    if git.returncode == 0:
        tags["mlflow.source.git.commit"] = git.stdout.strip()
    return tags


def record_network(tracker: Tracker, network: str, workshop_key: str) -> str:
    """Return the parent run of a network on one version of the data and of the recipe."""
    key = content_key(parent=network, workshop=workshop_key)
    return tracker.parent(key, network, {"network": network, **lineage()})


def record_folder(
    tracker: Tracker, parent_id: str, name: str, folder: Path, description: Mapping[str, Any]
) -> None:
    """Log a training's folder as a child run, unless a finished run has its key already.

    Parameters
    ----------
    tracker : Tracker
        Where to.
    parent_id : str
        The network's parent run.
    name : str
        The run's name: ``original``, ``compressed``, or a step's R-notation.
    folder : Path
        Holds ``record.json``, ``history.csv``, ``model.keras``.
    description : mapping
        What a model needs beside its weights; logged as the model's metadata.
    """
    record = read_json(folder / "record.json")
    if tracker.find(record["key"]) is not None:
        return
    tags = {"network": record["network"], "variant": record["variant"], **lineage()}
    if "verdict" in record:
        tags |= {"notation": name, "accepted": str(record["verdict"]["accepted"]).lower()}
    keras = load_keras()
    model = keras.models.load_model(folder / "model.keras", compile=False)
    with tracker.child(parent_id, record["key"], name, tags) as run:
        run.params(_params(record))
        run.metrics(record["metrics"] | _sizes(record))
        history = pd.read_csv(folder / "history.csv")
        run.figure(plots.learning_curves({name: history}), "learning_curve.png")
        if "confusion" in record:
            run.figure(plots.confusion_matrices({name: record}), "confusion.png")
        for row in history.to_dict("records"):
            curves = {f"epoch_{key}": value for key, value in row.items() if key != "epoch"}
            run.metrics(curves, step=int(row["epoch"]))
        for file in sorted(folder.iterdir()):
            if file.suffix in (".json", ".csv", ".png"):
                run.artifacts(file)
        run.artifacts(Path("params.yaml"))
        run.model(model, _example(model), dict(description))
    keras.backend.clear_session()


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
    return {name: float(record[name]) for name in kept if name in record}


def _example(model: Any) -> dict[str, np.ndarray]:
    return {
        name: np.zeros((1, *tensor.shape[1:]), dtype=tensor.dtype)
        for name, tensor in model.input.items()
    }


def record_report(params: Params, folder: Path) -> None:
    """Log the report's tables and pictures as a run of their own, once for the same content."""
    tracker = Tracker(params.record)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    key = content_key(report={str(path): file_hash(path) for path in files})
    if tracker.find(key) is None:
        parent = tracker.parent(content_key(report="parent"), "reports", lineage())
        with tracker.child(parent, key, "report", lineage()) as run:
            run.artifacts(folder)
