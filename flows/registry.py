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

    def notice(self) -> Any | None:
        """Return the champion; a promotion that nobody recorded is recorded first."""
        champion = self.aliased("champion")
        known = self.promotions()
        if champion is not None and (not known or known[-1]["version"] != str(champion.version)):
            self._keep(champion, UNSEEN, "not said")
        return champion

    def _keep(self, version: Any, by: str, why: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        tags = {"version": str(version.version), "by": by, "at": now, "why": why}
        key = content_key(promotion=tags)
        name = f"version {version.version}"
        tags = {f"promotion.{name}": value for name, value in tags.items()}
        with self.tracker.child(self._parent(), key, name, tags):
            pass

    def before(self, version: Any) -> Any | None:
        """Return the last champion before a version that passed its gates, or None."""
        for entry in reversed(self.promotions()):
            if entry["version"] != str(version.version):
                found = self.version(entry["version"])
                if found.tags.get(GATES) == "passed":
                    return found
        return None

    def tag(self, version: Any, tags: Mapping[str, str]) -> None:
        """Tag a version."""
        for name, value in tags.items():
            self.tracker.client.set_model_version_tag(version.name, version.version, name, value)

    def describe(self, version: Any, text: str) -> None:
        """Write a version's description, which MLflow's page shows as Markdown."""
        self.tracker.client.update_model_version(version.name, version.version, text)


def served(version: Any) -> Any:
    """Return a version that may be served.

    Raises
    ------
    RecordError
        If its gates failed, or nobody looked at them.
    """
    state = version.tags.get(GATES)
    if state != "passed":
        reason = version.tags.get("gates.reason", "its gates were never judged")
        raise RecordError(
            f"version {version.version} of {version.name!r} is the champion but not to be served: "
            f"{reason}; `make review` judges it, `make rollback` goes back to the champion before"
        )
    return version
