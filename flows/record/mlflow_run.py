"""An open run of MLflow, and what is logged with it."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tenacity

from slimderm.flows.base.terminal import quiet_stderr
from slimderm.flows.record.model_folder import model_parts

if TYPE_CHECKING:
    from slimderm.flows.record.mlflow_store import Tracker

MODEL = "model"
# What SQLite and PostgreSQL say where a line is there already; MLflow repeats it.
TAKEN = ("UNIQUE constraint", "UniqueViolation", "duplicate key")


class Run:
    """An open run."""

    def __init__(self, tracker: "Tracker", run_id: str) -> None:
        self.tracker = tracker
        self.run_id = run_id

    @property
    def tags(self) -> dict[str, str]:
        """Its tags, as MLflow holds them."""
        return dict(self.tracker.client.get_run(self.run_id).data.tags)

    def params(self, values: Mapping[str, Any]) -> None:
        """Log parameters."""
        from mlflow.entities import Param

        entries = [Param(name, str(value)) for name, value in values.items()]
        self.tracker.client.log_batch(self.run_id, params=entries)

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Log metrics at a step."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        entries = [Metric(name, float(value), now, step) for name, value in values.items()]
        self.tracker.client.log_batch(self.run_id, metrics=entries)

    def dataset(
        self,
        name: str,
        digest: str,
        place: str,
        context: str,
        profile: Mapping[str, int] | None = None,
    ) -> None:
        """Log data that the run reads.

        Parameters
        ----------
        name, digest : str
            What MLflow knows it by; the digest has at most 36 characters.
        place : str
            Where it lies, relative to the clone.
        context : str
            What the run does with it, such as ``training``.
        profile : mapping, optional
            Counts, for the page.
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag
        from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

        shown = json.dumps(dict(profile)) if profile else None
        source = json.dumps({"uri": place})
        given = Dataset(name, digest, "local", source, profile=shown)
        used = DatasetInput(given, [InputTag(MLFLOW_DATASET_CONTEXT, context)])
        # Of two runs that name new data at once, the database refuses one; its next try finds them.
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_taken),
            wait=tenacity.wait_random(0.1, 1),
            stop=tenacity.stop_after_attempt(10),
            reraise=True,
        )
        retrying(self.tracker.client.log_inputs, self.run_id, datasets=[used])

    def artifacts(self, path: Path, folder: str | None = None) -> None:
        """Log a file, or all of a folder."""
        if path.is_dir():
            self.tracker.client.log_artifacts(self.run_id, str(path), folder)
        else:
            self.tracker.client.log_artifact(self.run_id, str(path), folder)

    def figure(self, figure: Any, name: str) -> None:
        """Log a matplotlib figure as a picture."""
        self.tracker.client.log_figure(self.run_id, figure, name)

    def model(self, file: Path, description: Mapping[str, Any]) -> None:
        """Log a Keras file as a model that is asked with images and plain words.

        Parameters
        ----------
        file : path
            The Keras file, named `slimderm.flows.record.served.KERAS_FILE`.
        description : mapping
            As `slimderm.flows.work.training.Trainer.description` gives it; the model's metadata.
        """
        mlflow = self.tracker.mlflow
        with (
            mlflow.start_run(run_id=self.run_id),
            quiet_stderr(),
            model_parts(file, description) as parts,
        ):
            mlflow.pyfunc.log_model(name=MODEL, **parts)


def _is_taken(error: BaseException) -> bool:
    """Tell whether another run was first to write the same line of MLflow's database."""
    return any(word in str(error) for word in TAKEN)
