"""What a backup holds: the table of its parts, and where the settings of this place keep each."""

import configparser
import os
from pathlib import Path
from typing import Protocol

from sqlalchemy.engine import make_url

from slimderm.components.common.errors import ParameterError
from slimderm.flows.base.terminal import without_password
from slimderm.flows.config import layout
from slimderm.flows.config.params import read_params
from slimderm.flows.record.data_versions import remote
from slimderm.flows.servers.backup.file_stores import Clone, store
from slimderm.flows.servers.backup.postgres import Postgres
from slimderm.flows.servers.backup.sqlite import Sqlite
from slimderm.flows.servers.prefect_database import database as prefect_database

ORDER = ("clone", "users", "mlflow", "prefect", "artifacts", "versions")
"""Parts in the order in which they are saved: what names files before the files, so that no file
is missing that a backup names. They are restored the other way round."""


class Part(Protocol):
    """One database, or one tree of files."""

    @property
    def name(self) -> str:
        """Its name in `ORDER`, and of its folder in a backup."""

    @property
    def place(self) -> str:
        """Where it lies here, without a password."""

    def exists(self) -> bool:
        """Whether there is something to save."""

    def save(self, folder: Path) -> None:
        """Write it into an empty folder."""

    def holds(self) -> str:
        """Say what a restore would overwrite; empty where that is nothing."""

    def used_by(self) -> str:
        """Name who uses it now, so that it cannot be replaced; empty for nobody."""

    def restore(self, folder: Path) -> None:
        """Put what `save` wrote in its place."""


def part(name: str) -> Part | None:
    """Return a part as the environment and ``params.yaml`` place it, as the servers read them.

    Returns
    -------
    Part or None
        None if the settings name no place for it: `users` without ``MLFLOW_AUTH_CONFIG_PATH``.

    Raises
    ------
    ParameterError
        If they name a place of which a backup knows no copy.
    """
    record = read_params().record
    if name == "clone":
        files = (layout.PARAMS, layout.DVC_LOCK, layout.REGISTRY_POLICY)
        return Clone(name, files)
    if name == "users":
        address = _users()
        return database(name, address) if address else None
    if name == "mlflow":
        address = os.environ.get("MLFLOW_BACKEND_STORE_URI", record.tracking_uri)
        if address.startswith("http"):
            raise ParameterError(
                f"mlflow: received record.tracking_uri {address}, a server, expected its database "
                "in MLFLOW_BACKEND_STORE_URI, as the server has it"
            )
        return database(name, address)
    if name == "prefect":
        from prefect.settings import get_current_settings, temporary_settings

        with temporary_settings(prefect_database()):
            connection = get_current_settings().server.database.connection_url
        assert connection is not None  # Prefect fills in its default
        return database(name, connection.get_secret_value())
    if name == "artifacts":
        return store(name, os.environ.get("MLFLOW_ARTIFACTS_DESTINATION", record.artifacts))
    if name == "versions":
        return store(name, remote())
    raise ParameterError(f"part: received {name!r}, expected one of {', '.join(ORDER)}")


def _users() -> str | None:
    """Return the address of the database of MLflow's users."""
    path = os.environ.get("MLFLOW_AUTH_CONFIG_PATH")
    if not path:
        return None
    settings = configparser.ConfigParser()
    if not settings.read(path) or not settings.has_option("mlflow", "database_uri"):
        raise ParameterError(
            f"MLFLOW_AUTH_CONFIG_PATH: received {path}, expected a file with database_uri in its "
            "section [mlflow], such as mlflow/basic_auth.ini"
        )
    return settings.get("mlflow", "database_uri", raw=True)


def database(name: str, address: str) -> "Postgres | Sqlite":
    """Return the database of an address as SQLAlchemy writes it.

    Raises
    ------
    ParameterError
        If it is neither PostgreSQL's nor that of an SQLite file.
    """
    url = make_url(address)
    if url.get_backend_name() == "postgresql":
        return Postgres(name, url)
    if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
        return Sqlite(name, Path(str(url.database)))
    raise ParameterError(
        f"{name}: received the database {without_password(address)}, expected "
        "postgresql://... or sqlite:///file; a backup knows no other"
    )
