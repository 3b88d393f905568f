"""The registered model's versions: their evidence, their aliases, and who moved these.

A promotion is an alias, set by `make promote` or in MLflow's page.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from slimderm.components.common.errors import RecordError
from slimderm.components.evaluation.gates import INCONCLUSIVE, PASSED
from slimderm.flows.base.keras_loader import load_keras
from slimderm.flows.base.terminal import quiet_stderr, without_password
from slimderm.flows.config.registry_policy import read_registry
from slimderm.flows.record.alias_moves import UNSEEN, AliasMoves, why_not
from slimderm.flows.record.mlflow_run import MODEL
from slimderm.flows.record.mlflow_store import KEY, Tracker
from slimderm.flows.record.model_folder import write_calibration
from slimderm.flows.record.served import KERAS_FILE

CONTENT = "model.content"  # tag of a version: hash of its weights and of what they need
GATES_TAG = "gates"  # tag of a version: passed, failed or inconclusive
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
    """Versions, aliases and promotions of the registered model."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker, self.client = tracker, tracker.client
        self.settings = read_registry()
        self.name = tracker.settings.model or self.settings.model
        self.aliases = self.settings.aliases
        self.moves = AliasMoves(self.client, self.name)

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

    def served(self) -> Any:
        """Return the champion if it may be served.

        Raises
        ------
        RecordError
            If there is none, its gates failed, nobody said why it was promoted although they are
            inconclusive, or no review judged this promotion. An earlier verdict may compare with
            another champion.
        """
        version = self.expected("champion")
        if not self.is_recorded(version):
            reason = "its alias was set outside `make promote`, and nobody has judged it yet"
        elif not self.may_serve(version):
            reason = version.tags.get("gates.reason", "its gates were never judged")
        else:
            return version
        raise RecordError(
            f"version {version.version} of {version.name!r} is the champion but is not served: "
            f"{reason}; run `make review` to judge it, or `make rollback` to restore the previous "
            "champion"
        )

    def may_serve(self, version: Any) -> bool:
        """Return whether a version's gates passed, or a person answers for inconclusive ones.

        A person does who promoted it by the command: it asks for the reason. A champion whose gates
        had passed when it was promoted stays one when newer data can no longer tell.
        """
        word = version.tags.get(GATES_TAG)
        if word != INCONCLUSIVE:
            return bool(word == PASSED)
        own = [each for each in self.promotions() if each["version"] == str(version.version)]
        return any(each["by"] != UNSEEN or each.get("gates") == PASSED for each in own[-1:])

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

    def promotions(self) -> list[dict[str, Any]]:
        """Return every promotion on record, oldest first, as `AliasMoves.of` has them."""
        return self.moves.of("champion")

    def why_stays(self) -> str:
        """Say why this process moves no alias here; empty where it may."""
        return why_not(self.tracker.mlflow.get_tracking_uri(), self.settings.branches)

    def move(self, alias: str, version: Any, why: str) -> None:
        """Point an alias, by its role, at a version, and keep who, when, from where and why.

        The record is written before the alias moves. If the command is stopped in between, no
        champion is served, and the same command given again completes the promotion.

        Raises
        ------
        RecordError
            If aliases stay where they are for this process.
        """
        if reason := self.why_stays():
            raise RecordError(
                f"the alias {self.aliases[alias]} was not moved to version {version.version}: "
                f"{reason}; give the command there, or set the alias in MLflow's page"
            )
        self.moves.keep(alias, version, why, version.tags.get(GATES_TAG))
        self.set_alias(alias, str(version.version))

    def promote(self, version: Any, why: str) -> None:
        """Make a version the champion, as `move` does."""
        self.move("champion", version, why)

    def is_recorded(self, version: Any, alias: str = "champion") -> bool:
        """Return whether the last move of an alias that is on record led to a version."""
        known = self.moves.of(alias)
        return bool(known) and known[-1]["version"] == str(version.version)

    def notice(self, version: Any, alias: str = "champion") -> None:
        """Record that a version got an alias in MLflow's page, if it has it and that is not known.

        Nothing is recorded if another version got it meanwhile.
        """
        now = self.aliased(alias)
        if now and now.version == version.version and not self.is_recorded(version, alias):
            self.moves.keep_unseen(alias, version, version.tags.get(GATES_TAG))

    def before(self, version: Any) -> Any | None:
        """Return the champion before a version's first promotion, or None.

        A champion that was deleted or may not be served is passed over for the one before it.
        Promotions after the version's first one do not count, so a version that was rolled back
        is never taken for the predecessor of its replacement.
        """
        known = {str(each.version): each for each in self.versions()}
        number = str(version.version)
        history = [*(entry["version"] for entry in self.promotions()), number]
        while first := history.index(number):
            number = history[first - 1]
            if number in known and self.may_serve(known[number]):
                return known[number]
        return None

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
