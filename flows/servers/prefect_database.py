"""Where Prefect's server keeps its runs: in this clone, unless a setting says where.

Two clones on one machine would else share the database in the home folder: each server would start
the other's schedules, on workers that do not know it.
"""

from typing import Any

from prefect.settings import PREFECT_SERVER_DATABASE_CONNECTION_URL, get_current_settings

from slimderm.flows.config import layout

NAMED_BY = {"connection_url", "driver", "host", "name"}  # any of them, in Prefect's own settings


def database() -> dict[Any, str]:
    """Return Prefect's setting of the database, and the address of this clone's.

    Empty where the environment or Prefect's profile names a database: that one is used.
    """
    if NAMED_BY & get_current_settings().server.database.model_fields_set:
        return {}
    address = f"sqlite+aiosqlite:///{layout.PREFECT_DATABASE.absolute()}"
    return {PREFECT_SERVER_DATABASE_CONNECTION_URL: address}
