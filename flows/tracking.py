"""The sole importer of MLflow: runs, logged models, and the registry.

Every run carries the content key of what it records as a tag, and is found again by it: a step that
is recorded twice, after a crash or by the other route, stands in MLflow once.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from components.errors import RecordError
from flows.params import RecordSettings
from flows.runtime import quiet_stderr

KEY = "slimderm.key"
MODEL = "model"
REGISTRY = Path(__file__).resolve().parent.parent / "mlflow" / "registry.yaml"


class Tracker:
    """One experiment of one MLflow store, and the registered model that belongs to it."""

    def __init__(self, settings: RecordSettings) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        with quiet_stderr():
            import mlflow
        import logging

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.ERROR)
        self.settings = settings
        registry = yaml.safe_load(REGISTRY.read_text())
        self.name: str = registry["model"]
        self.aliases: dict[str, str] = registry["aliases"]
        self.mlflow = mlflow
        mlflow.set_tracking_uri(os.environ.get("MLFLOW_TRACKING_URI", settings.tracking_uri))
        self.client = mlflow.MlflowClient()
        self.experiment_id = self._experiment()

    def _experiment(self) -> str:
        name = self.settings.experiment
        found = self.client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        local = self.mlflow.get_tracking_uri().startswith("sqlite")
        artifacts = Path(self.settings.artifacts).resolve().as_uri() if local else None
        return str(self.client.create_experiment(name, artifact_location=artifacts))

    def find(self, key: str) -> Any | None:
        """Return the finished run that records `key`, or None."""
        runs = self.client.search_runs(
            [self.experiment_id], f"tags.`{KEY}` = '{key}' and attributes.status = 'FINISHED'"
        )
        return runs[0] if runs else None

    def parent(self, key: str, name: str, tags: Mapping[str, str]) -> str:
        """Return the id of the parent run of `key`, made and finished at once if it is not there.

        A parent holds no work of its own, only its children; so it is never left RUNNING.
        """
        run = self.find(key)
        if run is None:
            run = self.client.create_run(self.experiment_id, run_name=name, tags={**tags, KEY: key})
            self.client.set_terminated(run.info.run_id)
        return str(run.info.run_id)

    @contextmanager
    def child(
        self, parent_id: str, key: str, name: str, tags: Mapping[str, str]
    ) -> Iterator["Run"]:
        """Open a child run; it ends FINISHED, or FAILED when the block raises.

        A run of the same key that a killed process left RUNNING is closed as KILLED first.
        """
        for stale in self.client.search_runs(
            [self.experiment_id], f"tags.`{KEY}` = '{key}' and attributes.status = 'RUNNING'"
        ):
            self.client.set_terminated(stale.info.run_id, "KILLED")
        run = self.client.create_run(
            self.experiment_id,
            run_name=name,
            tags={**tags, KEY: key, "mlflow.parentRunId": parent_id},
        )
        status = "FAILED"
        try:
            yield Run(self, run.info.run_id)
            status = "FINISHED"
        finally:
            self.client.set_terminated(run.info.run_id, status)

    def children(self, parent_id: str) -> list[Any]:
        """Return the finished runs under a parent."""
        query = f"tags.`mlflow.parentRunId` = '{parent_id}' and attributes.status = 'FINISHED'"
        return list(self.client.search_runs([self.experiment_id], query))

    def versions(self) -> list[Any]:
        """Return every version of the registered model."""
        return list(self.client.search_model_versions(f"name = '{self.name}'"))

    def version_of(self, key: str) -> Any | None:
        """Return the registered version that carries `key`, or None."""
        return next((found for found in self.versions() if found.tags.get(KEY) == key), None)

    def register(self, key: str, tags: Mapping[str, str]) -> str:
        """Make the model of the run of `key` a version of the registered model, once.

        Returns
        -------
        str
            The version number.

        Raises
        ------
        RecordError
            If no finished run records `key`.
        """
        known = self.version_of(key)
        if known is not None:
            return str(known.version)
        run = self.find(key)
        if run is None:
            raise RecordError(f"no finished MLflow run records {key}; run the prune step again")
        name = self.name
        if not self.client.search_registered_models(f"name = '{name}'"):
            self.client.create_registered_model(name)
        with quiet_stderr():  # it announces each version
            version = self.mlflow.register_model(
                f"runs:/{run.info.run_id}/{MODEL}", name, tags={**tags, KEY: key}
            )
        return str(version.version)

    def set_alias(self, alias: str, version: str) -> None:
        """Point an alias of the registered model, by its role, at a version."""
        self.client.set_registered_model_alias(self.name, self.aliases[alias], version)

    def aliased(self, *aliases: str) -> tuple[str, Any]:
        """Return the first alias that is set, with its version.

        Raises
        ------
        RecordError
            If none of them is.
        """
        from mlflow.exceptions import MlflowException

        for alias in aliases:
            try:
                version = self.client.get_model_version_by_alias(self.name, self.aliases[alias])
                return alias, version
            except MlflowException as error:
                if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    raise
        raise RecordError(
            f"the registered model {self.name!r} has no version with the alias "
            f"{' or '.join(aliases)} in {self.mlflow.get_tracking_uri()}; run `make demo` or "
            "`dvc repro` first"
        )

    def load(self, version: Any) -> tuple[Any, dict[str, Any]]:
        """Load a registered version as a Keras model, with the metadata logged beside it."""
        uri = f"models:/{version.name}/{version.version}"
        model = self.mlflow.tensorflow.load_model(uri)
        return model, dict(self.mlflow.models.get_model_info(uri).metadata or {})


class Run:
    """An open run."""

    def __init__(self, tracker: Tracker, run_id: str) -> None:
        self.tracker = tracker
        self.run_id = run_id

    def params(self, values: Mapping[str, Any]) -> None:
        """Log parameters."""
        for name, value in values.items():
            self.tracker.client.log_param(self.run_id, name, value)

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Log metrics at a step."""
        from mlflow.entities import Metric

        entries = [Metric(name, float(value), 0, step) for name, value in values.items()]
        self.tracker.client.log_batch(self.run_id, metrics=entries)

    def artifacts(self, path: Path, folder: str | None = None) -> None:
        """Log a file, or all of a folder."""
        if path.is_dir():
            self.tracker.client.log_artifacts(self.run_id, str(path), folder)
        else:
            self.tracker.client.log_artifact(self.run_id, str(path), folder)

    def figure(self, figure: Any, name: str) -> None:
        """Log a matplotlib figure as a picture."""
        self.tracker.client.log_figure(self.run_id, figure, name)

    def model(self, model: Any, example: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        """Log a Keras model with its signature, taken from one example batch."""
        import keras

        mlflow = self.tracker.mlflow
        outputs = model.predict(example, verbose=0)
        signature = mlflow.models.infer_signature(dict(example), outputs)
        with mlflow.start_run(run_id=self.run_id), quiet_stderr():
            mlflow.tensorflow.log_model(
                model,
                name=MODEL,
                signature=signature,
                pip_requirements=[f"keras=={keras.__version__}", "tensorflow==2.21.0", "mlflow"],
                metadata=dict(metadata),
            )
