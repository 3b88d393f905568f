"""The registered model's versions: their evidence, and who made which the champion, when and why.

A promotion is an alias, set by `make promote` or in MLflow's page. Each one seen is kept as a run
of its own under the run ``promotions``, so that who, when and why outlive the alias.
"""

import getpass
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import yaml

from components.errors import RecordError
from components.gates import GateSettings
from flows.params import read_params
from flows.runtime import content_key
from flows.tracking import REGISTRY, Tracker

GATES = "gates"  # tag of a version: passed or failed
UNSEEN = "MLflow's page or API"


def gate_settings() -> GateSettings:
    """Read the section ``gates`` of ``mlflow/registry.yaml``."""
    return GateSettings(**yaml.safe_load(REGISTRY.read_text())["gates"])


class Registry:
    """Versions, aliases and promotions of the registered model."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker

    def version(self, number: str) -> Any:
        """Return a version by its number.

        Raises
        ------
        RecordError
            If there is none.
        """
        found = self.tracker.versions()
        version = next((each for each in found if str(each.version) == str(number)), None)
        if version is None:
            known = ", ".join(sorted((str(each.version) for each in found), key=int)) or "none"
            raise RecordError(
                f"VERSION: received {number!r}, expected one of {self.tracker.name!r}: {known}"
            )
        return version

    def aliased(self, alias: str) -> Any | None:
        """Return the version that carries an alias, or None."""
        try:
            return self.tracker.aliased(alias)[1]
        except RecordError:
            return None

    def promotions(self) -> list[dict[str, str]]:
        """Return every promotion on record, the first first: version, by, at, why."""
        runs = self.tracker.children(self._parent())
        kept = [
            {name: run.data.tags[f"promotion.{name}"] for name in ("version", "by", "at", "why")}
            for run in runs
        ]
        return sorted(kept, key=lambda entry: entry["at"])

    def _parent(self) -> str:
        return self.tracker.parent(content_key(promotions=self.tracker.name), "promotions", {})

    def promote(self, version: Any, why: str) -> None:
        """Make a version the champion, and keep who, when and why."""
        self.tracker.set_alias("champion", str(version.version))
        self._keep(version, getpass.getuser(), why)

    def is_recorded(self, version: Any) -> bool:
        """Whether the last promotion on record is that of a version."""
        known = self.promotions()
        return bool(known) and known[-1]["version"] == str(version.version)

    def notice(self, champion: Any) -> None:
        """Keep the champion's promotion if nobody did: its alias was set in MLflow's page."""
        if not self.is_recorded(champion):
            self._keep(champion, UNSEEN, "not said")

    def _keep(self, version: Any, by: str, why: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        tags = {"version": str(version.version), "by": by, "at": now, "why": why}
        key = content_key(promotion=tags)
        name = f"version {version.version}"
        tags = {f"promotion.{name}": value for name, value in tags.items()}
        with self.tracker.child(self._parent(), key, name, tags):
            pass

    def before(self, version: Any) -> Any | None:
        """Return the champion before a version's first promotion, or None.

        One that was deleted or whose gates are shut does not count: then it is the one before that.
        What followed the first promotion does not count either, so a version that was rolled back
        is never before the one that it gave way to.
        """
        known = {str(each.version): each for each in self.tracker.versions()}
        number = str(version.version)
        history = [*(entry["version"] for entry in self.promotions()), number]
        while first := history.index(number):
            number = history[first - 1]
            if number in known and known[number].tags.get(GATES) == "passed":
                return known[number]
        return None

    def tag(self, version: Any, tags: Mapping[str, str]) -> None:
        """Tag a version."""
        for name, value in tags.items():
            self.tracker.client.set_model_version_tag(version.name, version.version, name, value)

    def describe(self, version: Any, text: str) -> None:
        """Write a version's description, which MLflow's page shows as Markdown."""
        self.tracker.client.update_model_version(version.name, version.version, text)


def served(version: Any) -> Any:
    """Return the champion if it may be served.

    Raises
    ------
    RecordError
        If its gates failed, or nobody judged this promotion: a verdict from before it may be about
        other opponents.
    """
    if not Registry(Tracker(read_params().record)).is_recorded(version):
        reason = "it was promoted past `make promote`, and nobody judged that promotion yet"
    elif version.tags.get(GATES) != "passed":
        reason = version.tags.get("gates.reason", "its gates were never judged")
    else:
        return version
    raise RecordError(
        f"version {version.version} of {version.name!r} is the champion but not to be served: "
        f"{reason}; the pipeline's next run or `make review` judges it, `make rollback` goes back "
        "to the champion before"
    )
