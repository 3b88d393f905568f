"""Moves of the aliases: which run may make one, and who made each, when, from where and why.

MLflow keeps no history of aliases, so each move is a tag of the registered model.
"""

import json
import os
import uuid
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from slimderm.flows.base.sqlite import sqlite_file
from slimderm.flows.record.origin import WORKER, branch, experiment, git, host, person

KEPT_AS = {"champion": "promotion ", "challenger": "challenger "}  # begins the tag, by role
UNSEEN = "MLflow's page or API; at is when a review noticed"


def is_own(address: str) -> bool:
    """Whether a tracking store is this clone's own: an SQLite file inside the current folder."""
    file = sqlite_file(address)
    return file is not None and file.resolve().is_relative_to(Path.cwd().resolve())


def why_not(address: str, branches: Collection[str]) -> str:
    """Say why the process moves no alias of a store; empty where it may.

    Parameters
    ----------
    address : str
        The tracking URI. An own store's aliases always move: nobody else sees them.
    branches : collection of str
        Those whose runs speak for everybody, as ``mlflow/registry.yaml`` names them.
    """
    if is_own(address):
        return ""
    rule = (
        f"on a shared store aliases move on {' or '.join(branches) or 'no branch'} and in "
        "Prefect's deployments (mlflow/registry.yaml)"
    )
    if name := experiment():
        return f"this is the DVC experiment {name}; {rule}"
    current = branch()
    if WORKER in os.environ or current in branches:
        return ""
    return f"this is {f'branch {current}' if current else 'no branch of git'}; {rule}"


def origin() -> dict[str, str]:
    """Return where the process runs: machine, branch, commit, and what started it."""
    found = {
        "host": host(),
        "branch": branch(),
        "commit": git("rev-parse", "HEAD"),
        "flow_run": os.environ.get(WORKER, ""),
        "experiment": experiment(),
    }
    return {name: value for name, value in found.items() if value}


class AliasMoves:
    """The moves of one registered model's aliases that are on record.

    Parameters
    ----------
    client : mlflow.MlflowClient
        Of the store.
    model : str
        The registered model's name.
    """

    def __init__(self, client: Any, model: str) -> None:
        self.client, self.model = client, model

    def of(self, role: str) -> list[dict[str, Any]]:
        """Return every move of a role's alias, oldest first.

        The number gives the order, because clocks can be set back and differ between machines.

        Returns
        -------
        list of dict
            ``number``, ``version``, ``by``, ``at``, ``why``, ``gates``, and what `origin` gives; of
            a move in MLflow's page that a review noticed, ``by`` is `UNSEEN` and no origin is
            known.
        """
        if not self.client.search_registered_models(f"name = '{self.model}'"):
            return []
        tags = self.client.get_registered_model(self.model).tags
        kept = [json.loads(text) for tag, text in tags.items() if tag.startswith(KEPT_AS[role])]
        return sorted(kept, key=lambda entry: (entry.get("number", 0), entry["at"]))

    def keep(self, role: str, version: Any, why: str, gates: str | None) -> None:
        """Keep a move by this process."""
        self._write(role, version, {"by": person(), "why": why, "gates": gates, **origin()})

    def keep_unseen(self, role: str, version: Any, gates: str | None) -> None:
        """Keep a move that somebody made in MLflow's page."""
        self._write(role, version, {"by": UNSEEN, "why": "not said", "gates": gates})

    def _write(self, role: str, version: Any, said: dict[str, Any]) -> None:
        known = self.of(role)
        entry = {
            "number": known[-1].get("number", 0) + 1 if known else 1,
            "version": str(version.version),
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            **said,
        }
        two_at_once = uuid.uuid4().hex[:8]  # are both kept
        tag = f"{KEPT_AS[role]}{entry['number']:04d} {two_at_once}"
        text = json.dumps(entry, ensure_ascii=False)
        self.client.set_registered_model_tag(self.model, tag, text)
