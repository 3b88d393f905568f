"""What MLflow gets of a finished training: parameters, figures, data, files and the model."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from slimderm.components.reporting import training_plots
from slimderm.flows.base.files import read_json
from slimderm.flows.config import layout
from slimderm.flows.config.choice import storage_choice
from slimderm.flows.config.params import read_params
from slimderm.flows.record.datasets import log_datasets
from slimderm.flows.record.metric_names import MEASURED, plain, sectioned
from slimderm.flows.record.mlflow_run import Run
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.provenance import MADE, provenance_tags
from slimderm.flows.record.served import KERAS_FILE

RECORD = "record.json"  # beside a model: what was measured of it
HISTORY = "history.csv"  # beside a model: its training, where there was one
LOGGED = (".json", ".csv", ".png", ".slim", ".txt")  # files beside a model that MLflow gets


@dataclass(frozen=True)
class FinishedTraining:
    """A training's folder, and its place in MLflow.

    Attributes
    ----------
    name : str
        ``original``, ``compressed``, or a step's R-notation.
    folder : Path
        Holds `RECORD`, `KERAS_FILE`, and, where there are such, `HISTORY` and `MADE`.
    """

    name: str
    folder: Path

    @cached_property
    def record(self) -> dict[str, Any]:
        """What was measured, and the training's key."""
        return dict(read_json(self.folder / RECORD))

    @property
    def verdict(self) -> dict[str, str]:
        """Tags; none where nobody judged it, as a baseline."""
        if "verdict" not in self.record:
            return {}
        given = self.record["verdict"]
        accepted = str(given["accepted"]).lower()
        return {"accepted": accepted, "verdict": given["word"], "verdict.reason": given["reason"]}

    def record_anew(self, tracker: Tracker, parent_id: str, description: Mapping[str, Any]) -> None:
        """Log it as a child run."""
        record, made = self.record, self.folder / MADE
        lead = read_json(made) if made.exists() else provenance_tags()
        tags = {"network": record["network"], "variant": record["variant"], **lead}
        if self.verdict:
            tags |= {"notation": self.name, **self.verdict}
        title = f"{record['network']} {self.name}"
        with tracker.child(parent_id, record["key"], title, tags) as run:
            run.params(_params(record) | _settings(record))
            self._log_figures(run)
            log_datasets(run, tags, (record["variant"],), ("train", "validation"))
            if (self.folder / HISTORY).exists():  # some passes train nothing
                _log_history(run, self.name, pd.read_csv(self.folder / HISTORY))
            for file in sorted(self.folder.iterdir()):
                if file.suffix in LOGGED:
                    run.artifacts(file)
            run.artifacts(layout.PARAMS)
            run.model(self.folder / KERAS_FILE, description)

    def record_news(self, run: Run, known: Any) -> bool:
        """Log a new verdict and new figures into its finished run; return whether there were."""
        # A run without a verdict is a baseline's, from which pruning starts; it gets none.
        judged = "accepted" in known.tags and bool(self.verdict.items() - known.tags.items())
        measured = bool(self.record["metrics"].keys() - plain(known.metrics).keys())
        if judged:
            run.artifacts(layout.PARAMS)  # the thresholds behind the verdict
            for name, value in self.verdict.items():
                run.tracker.client.set_tag(run.run_id, name, value)
        if measured:
            self._log_figures(run)
        if judged or measured:
            run.artifacts(self.folder / RECORD)
        return judged or measured

    def _log_figures(self, run: Run) -> None:
        """Log what was measured: metrics, sizes; where it was tested, that part and confusion."""
        record = self.record
        run.metrics(sectioned(record["metrics"] | _sizes(record)))
        if "confusion" in record:
            run.figure(training_plots.confusion_matrices({self.name: record}), "confusion.png")
            log_datasets(run, run.tags, (record["variant"],), ("test",))


def _log_history(run: Run, name: str, history: pd.DataFrame) -> None:
    run.figure(training_plots.learning_curves({name: history}), "learning_curve.png")
    for row in history.to_dict("records"):
        curves = {f"epoch_{key}": value for key, value in row.items() if key != "epoch"}
        run.metrics(sectioned(curves), step=int(row["epoch"]))


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
    known = {**record.get("ledger", {}), **record}
    return {name: float(known[name]) for name in MEASURED if known.get(name) is not None}
