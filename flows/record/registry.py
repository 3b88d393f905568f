"""The registered model's versions: their files, their evidence, and their aliases."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from slimderm.components.common.errors import RecordError
from slimderm.flows.base.keras_loader import load_keras
from slimderm.flows.base.terminal import quiet_stderr, without_password
from slimderm.flows.config.registry_policy import read_registry
from slimderm.flows.record.mlflow_run import MODEL
from slimderm.flows.record.mlflow_store import KEY, Tracker
from slimderm.flows.record.model_folder import write_calibration
from slimderm.flows.record.promotions import Promotions
from slimderm.flows.record.served import KERAS_FILE

CONTENT = "model.content"  # tag of a version: hash of its weights and of what they need
LOGGED = "models:/"  # begins a version's source, before the id of the model that was logged


def temperature_of(version: Any) -> float | None:
    """Return the temperature that a review has fitted for a version, or None."""
    tag = version.tags.get("temperature")
    return None if tag is None else float(tag)


def _damaged(version: Any, error: Exception) -> RecordError:
    reason = without_password(" ".join(str(error).split()))[:200]
    return RecordError(
        f"the model of version {version.version} of {version.name!r} cannot be loaded "
        f"({type(error).__name__}: {reason}); its artifact is damaged, missing or not "
        "of SlimDerm: restore it, or delete version and run in MLflow, then `make backfill`"
    )


class Registry:
    """Versions of the registered model, and their aliases.

    Attributes
    ----------
    promotions : Promotions
        Who moved the aliases, and which champion may be served.
    """

    def __init__(self, tracker: Tracker) -> None:
        self.tracker, self.client = tracker, tracker.client
        self.settings = read_registry()
        self.name = tracker.settings.model or self.settings.model
        self.aliases = self.settings.aliases
        self.promotions = Promotions(self)

    def versions(self) -> list[Any]:
        """Return every version of the registered model."""
        return list(self.client.search_model_versions(f"name = '{self.name}'"))

    def version(self, number: str) -> Any:
        """Return a version by its number.

        Raises
        ------
        RecordError
            If there is none.
        """
        found = self.versions()
        version = next((each for each in found if str(each.version) == str(number)), None)
        if version is None:
            known = ", ".join(sorted((str(each.version) for each in found), key=int)) or "none"
            raise RecordError(
                f"VERSION: received {number!r}, expected one of {self.name!r}: {known}"
            )
        return version

    def of_content(self, content: str) -> Any | None:
        """Return the first version whose model has a hash, or None."""
        known = sorted(self.versions(), key=lambda each: int(each.version))
        return next((each for each in known if each.tags.get(CONTENT) == content), None)

    def register(self, key: str, tags: Mapping[str, str], content: str | None = None) -> str:
        """Make the model of the run of `key` a version of the registered model, once.

        Parameters
        ----------
        key : str
            Of the run.
        tags : mapping
            Of the version.
        content : str, optional
            Hash of the model; a version that has it is the one, whatever run it came from.

        Returns
        -------
        str
            The version number.

        Raises
        ------
        RecordError
            If no finished run records `key`.
        """
        run = self.tracker.find(key)
        if run is None:
            raise RecordError(f"no finished MLflow run records {key}; run the prune step again")
        for known in sorted(self.versions(), key=lambda each: int(each.version)):
            same = content is not None and known.tags.get(CONTENT) == content
            if same or known.run_id == run.info.run_id:
                return str(known.version)
        ours = {CONTENT: content} if content else {}
        if not self.client.search_registered_models(f"name = '{self.name}'"):
            self.client.create_registered_model(self.name)
        with quiet_stderr():  # it announces each version
            version = self.tracker.mlflow.register_model(
                f"runs:/{run.info.run_id}/{MODEL}", self.name, tags={**tags, **ours, KEY: key}
            )
        return str(version.version)

    def set_alias(self, alias: str, version: str) -> None:
        """Point an alias of the registered model, by its role, at a version."""
        self.client.set_registered_model_alias(self.name, self.aliases[alias], version)

    def aliased(self, alias: str) -> Any | None:
        """Return the version that carries an alias, by its role, or None."""
        try:
            return self.client.get_model_version_by_alias(self.name, self.aliases[alias])
        except self.tracker.mlflow.MlflowException as error:
            absent = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
            # MLflow tells only its administrator that a model does not exist; others are denied.
            if error.error_code not in (*absent, "PERMISSION_DENIED"):
                raise
            return None

    def expected(self, alias: str) -> Any:
        """Return the version that carries an alias, by its role.

        Raises
        ------
        RecordError
            If none does.
        """
        version = self.aliased(alias)
        if version is None:
            made = "`make promote`" if alias == "champion" else "`make demo` or `make run`"
            raise RecordError(
                f"the registered model {self.name!r} has no version with the alias {alias} in "
                f"{self.tracker.place}; run {made} first"
            )
        return version

    def load(self, version: Any) -> tuple[Any, dict[str, Any]]:
        """Load a registered version as a Keras model, with the metadata logged beside it.

        The code that the version carries is not run: Keras reads the file, and refuses code in it.

        Raises
        ------
        RecordError
            If it cannot be loaded.
        """
        with self.fetched(version) as (file, description):
            try:
                model = load_keras().models.load_model(file, compile=False, safe_mode=True)
            except Exception as error:  # Keras, zipfile and h5py each have their own
                raise _damaged(version, error) from error
            return model, description

    @contextmanager
    def fetched(self, version: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Fetch a version for as long as the block lasts: its Keras file, and its metadata.

        Raises
        ------
        RecordError
            If it cannot be fetched or holds no Keras file.
        """
        mlflow, uri = self.tracker.mlflow, f"models:/{version.name}/{version.version}"
        with TemporaryDirectory() as place:
            try:
                folder = mlflow.artifacts.download_artifacts(uri, dst_path=place)
                description = dict(mlflow.models.Model.load(folder).metadata or {})
                file = Path(folder, "data", KERAS_FILE)
                file.open("rb").close()
            except Exception as error:  # MLflow's, and those of each store
                raise _damaged(version, error) from error
            yield file, description

    def tag(self, version: Any, tags: Mapping[str, str]) -> None:
        """Tag a version."""
        for name, value in tags.items():
            self.client.set_model_version_tag(version.name, version.version, name, value)

    def calibrate(self, version: Any, temperature: float) -> None:
        """Keep a version's temperature: as a tag, and in the model, which then applies it."""
        self.tag(version, {"temperature": repr(temperature)})
        if not version.source.startswith(LOGGED):  # of an MLflow that kept models in runs
            return
        with TemporaryDirectory() as place:
            write_calibration(Path(place), temperature)
            self.client.log_model_artifacts(version.source.removeprefix(LOGGED), place)

    def describe(self, version: Any, text: str) -> None:
        """Write a version's description, which MLflow's page shows as Markdown."""
        self.client.update_model_version(version.name, version.version, text)

    def tag_model(self, name: str, value: str) -> None:
        """Tag the registered model."""
        self.client.set_registered_model_tag(self.name, name, value)

    def describe_model(self, text: str) -> None:
        """Write the registered model's description."""
        self.client.update_registered_model(self.name, text)
