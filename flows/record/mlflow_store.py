"""MLflow's store: its experiment, and the runs in it.

Every run has the content key of what it records as a tag. A step that is recorded twice, after a
crash or by the other route, is found by its key and stands in MLflow once.
"""

import contextlib
import os
import shutil
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from slimderm.components.common.cache import replacing
from slimderm.components.common.errors import RecordError
from slimderm.flows.base.credentials import START_AGAIN
from slimderm.flows.base.sqlite import BEGINNING, sqlite_file, whole_address
from slimderm.flows.base.terminal import quiet_stderr, without_password
from slimderm.flows.config.params import RecordSettings
from slimderm.flows.record.mlflow_run import Run
from slimderm.flows.record.moved import settle
from slimderm.flows.record.origin import context_tags, person

KEY = "slimderm.key"
FLOW_RUN = "prefect.flow_run"  # tag: the id of the flow run that did the work, an agent's included
ROOT = "prefect.root_flow_run"  # tag: the id of the flow run that a person started
SENDER = "SLIMDERM_ROOT_FLOW_RUN"  # passes that id to the process that an agent starts


def make_database(address: str, artifacts: str) -> None:
    """Make an SQLite database with MLflow's tables, whole or not at all.

    MLflow makes its tables one by one, and cannot continue where it was killed between them. In a
    database that came here with its clone, artifacts get the places that they have now.

    Parameters
    ----------
    address : str
        A tracking URI; nothing is done unless it is ``sqlite:///`` and a file.
    artifacts : str
        Folder of the artifacts of MLflow's own experiment ``Default``.

    Raises
    ------
    RecordError
        If the database came here without its artifacts.
    """
    path = sqlite_file(address)
    if path is None:
        return
    if path.exists():
        settle(path, artifacts)
        return
    with quiet_stderr():
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    with replacing(path.with_name(f".{path.name}.new")) as folder:
        store = SqlAlchemyStore(
            f"{BEGINNING}{folder / path.name}", Path(artifacts).resolve().as_uri()
        )
        store.engine.dispose()
        with contextlib.suppress(FileExistsError):  # another process was first
            path.hardlink_to(folder / path.name)
    shutil.rmtree(path.with_name(f".{path.name}.new"), ignore_errors=True)


def import_mlflow() -> None:
    """Import MLflow, which takes seconds, and drop nothing that others say meanwhile.

    `Tracker` drops what the process writes to the terminal while it imports it.
    """
    import mlflow  # noqa: F401


def tracking_address(settings: RecordSettings) -> str:
    """Return the address of the store: the environment's goes before the parameters'."""
    return whole_address(os.environ.get("MLFLOW_TRACKING_URI", settings.tracking_uri))


class Tracker:
    """One experiment of one MLflow store."""

    def __init__(self, settings: RecordSettings) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        # Our models hold no pickles; the server that `make serve` becomes inherits this.
        os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
        with quiet_stderr():
            import mlflow
        import logging

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what it logs it raises, too
        self.settings = settings
        self.mlflow = mlflow
        address = tracking_address(settings)
        make_database(address, settings.artifacts)
        given = os.environ.get("MLFLOW_TRACKING_URI")
        mlflow.set_tracking_uri(address)
        if given is None:  # MLflow has set it, and the next folder's parameters would not be read
            os.environ.pop("MLFLOW_TRACKING_URI", None)
        self.client = mlflow.MlflowClient()
        try:
            self.experiment_id = self._experiment()
        except mlflow.MlflowException as error:
            if error.get_http_status_code() != 401:
                raise
            user = os.environ.get("MLFLOW_TRACKING_USERNAME")
            raise RecordError(
                f"MLflow at {self.place} asks for a password: received {user or 'no user'}, "
                "expected MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the "
                f"environment, as it knows them; {START_AGAIN}"
            ) from None

    @property
    def place(self) -> str:
        """Address of the store, without user and password."""
        return without_password(self.mlflow.get_tracking_uri())

    def _experiment(self) -> str:
        name = self.settings.experiment
        found = self.client.get_experiment_by_name(name)
        if found is not None:
            self._check_reachable(found)
            return str(found.experiment_id)
        if not self.mlflow.get_tracking_uri().startswith("sqlite"):
            return self._create(name)
        artifacts = Path(self.settings.artifacts).resolve()
        artifacts.mkdir(parents=True, exist_ok=True)  # by which a server's clients know it
        return self._create(name, artifact_location=artifacts.as_uri())

    def _create(self, name: str, **more: str) -> str:
        """Create an experiment; take another process's where that was first."""
        try:
            return str(self.client.create_experiment(name, **more))
        except self.mlflow.MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return str(self.client.get_experiment_by_name(name).experiment_id)

    def _check_reachable(self, experiment: Any) -> None:
        """Refuse an experiment whose artifacts cannot be reached from here.

        An experiment that was made without a server keeps its local folder, also when a server
        shows it: MLflow would write to a folder of that name on this machine, which the server does
        not read. An experiment that was made through a server is reached only through a server.
        """
        place = urllib.parse.urlsplit(experiment.artifact_location)
        address = self.mlflow.get_tracking_uri()
        if place.scheme == "mlflow-artifacts" and not address.startswith("http"):
            raise RecordError(
                f"experiment: received {experiment.name!r}, which was recorded through a "
                f"server, but {self.place} is no server; run `make up` and set MLFLOW_TRACKING_URI "
                "as it says, or write a new name into record.experiment of params.yaml and run "
                "`make backfill`"
            )
        if not address.startswith("http") or place.scheme not in ("", "file"):
            return
        folder = Path(urllib.parse.unquote(place.path))
        if not folder.is_dir():
            raise RecordError(
                f"experiment: received {experiment.name!r}, whose models lie in the "
                f"folder {folder} of {self.place}, because it was recorded without a server; this "
                "machine cannot read them. On the coordinator, write a new name into "
                "record.experiment of params.yaml and run `make backfill` with MLFLOW_TRACKING_URI "
                "set"
            )

    def find(self, key: str) -> Any | None:
        """Return the finished run that records `key`, the oldest of several, or None."""
        runs = self._search(f"tags.`{KEY}` = '{key}' and attributes.status = 'FINISHED'")
        return runs[0] if runs else None

    def parent(self, key: str, name: str, tags: Mapping[str, str]) -> str:
        """Return the id of the parent run of `key`, made and finished at once if it is not there.

        A parent only groups its children. One that a killed process left RUNNING is complete and is
        set to finished. Of two that were made at once, both makers take the older.
        """
        run = self.find(key)
        if run is None:
            left = self._running(key)
            own = left[0] if left else self._create_run(key, name, tags)
            self.client.set_terminated(own.info.run_id)
            run = self.find(key) or own
            if not left and run.info.run_id != own.info.run_id:
                self.client.delete_run(own.info.run_id)
        return str(run.info.run_id)

    def children(self, parent_id: str) -> list[Any]:
        """Return the finished runs below a parent, oldest first."""
        query = f"tags.`mlflow.parentRunId` = '{parent_id}' and attributes.status = 'FINISHED'"
        found: list[Any] = []
        token = None
        while True:
            page = self._search(query, page_token=token)
            found += page
            token = page.token
            if not token:
                return found

    def _search(self, query: str, **more: Any) -> Any:
        oldest_first = ["attributes.start_time ASC"]
        return self.client.search_runs([self.experiment_id], query, order_by=oldest_first, **more)

    def _running(self, key: str) -> list[Any]:
        return list(self._search(f"tags.`{KEY}` = '{key}' and attributes.status = 'RUNNING'"))

    def _create_run(self, key: str, name: str, tags: Mapping[str, str]) -> Any:
        """Create a run; its name says who made it, and of what, so that no two are alike."""
        all_tags = {**context_tags(), **self.settings.tags, **tags, KEY: key}
        title = f"{name} ({all_tags['mlflow.user']}, {key[:6]})"
        return self.client.create_run(self.experiment_id, run_name=title, tags=all_tags)

    @contextmanager
    def child(
        self, parent_id: str, key: str, name: str, tags: Mapping[str, str]
    ) -> Iterator["Run"]:
        """Open a child run; it ends FINISHED, or FAILED when the block raises.

        A run of the same key that a killed process of the same person left RUNNING is closed as
        KILLED first. Somebody else's may be at work.
        """
        tags = {"mlflow.user": person(), **tags}
        for stale in self._running(key):
            if stale.data.tags.get("mlflow.user") in (None, tags["mlflow.user"]):
                self.client.set_terminated(stale.info.run_id, "KILLED")
        run = self._create_run(key, name, {**tags, "mlflow.parentRunId": parent_id})
        status = "FAILED"
        try:
            yield Run(self, run.info.run_id)
            status = "FINISHED"
        finally:
            self.client.set_terminated(run.info.run_id, status)
