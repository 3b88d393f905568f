"""A Prefect server inside the process of a flow, where no other is named.

Prefect would start one as a process of its own, which imports everything once more; a thread of
this process finds it imported.
"""

import gc
import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import uvicorn
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_SERVER_EPHEMERAL_ENABLED,
    PREFECT_UI_URL,
    temporary_settings,
)

from components.errors import SlimDermError

HOST = "127.0.0.1"


class ServerError(SlimDermError):
    """The server inside this process did not start."""


@contextmanager
def embedded_server() -> Iterator[None]:
    """Let flows inside the block find a server: a thread's, unless ``PREFECT_API_URL`` names one.

    It serves on loopback, on a port that is free, from the database that Prefect's settings name,
    and ends with the process, after Prefect has sent it the last log lines.

    Raises
    ------
    ServerError
        If it does not start.
    """
    if PREFECT_API_URL.value() or not PREFECT_SERVER_EPHEMERAL_ENABLED.value():
        yield
        return
    # What a server has no page for, Prefect shall not print the address of.
    with temporary_settings({PREFECT_API_URL: f"http://{HOST}:{_serve()}/api", PREFECT_UI_URL: ""}):
        yield


def _serve() -> int:
    """Start the server; return its port."""
    gc.disable()  # a quarter of the time of these imports is its search among what stays
    from prefect.server.api.server import create_app

    app = create_app(ephemeral=True, final=True)
    gc.freeze()
    gc.enable()
    server = uvicorn.Server(uvicorn.Config(app, HOST, 0, log_level="error"))
    thread = Thread(target=server.run, name="prefect-server", daemon=True)
    with _errors_of_uvicorn() as heard:
        thread.start()
        while not server.started:
            if not thread.is_alive():
                reasons = re.findall(r"^[\w.]+: .+", "\n".join(heard), re.MULTILINE)
                raise ServerError(
                    f"Prefect's own server did not start, {reasons[-1] if reasons else heard}; "
                    "PREFECT_API_URL can name one that runs (`make up`)"
                )
            time.sleep(0.02)
    return int(server.servers[0].sockets[0].getsockname()[1])


@contextmanager
def _errors_of_uvicorn() -> Iterator[list[str]]:
    """Collect what uvicorn says inside the block, tracebacks among it, and do not show it."""
    heard: list[str] = []
    handler, log = logging.Handler(), logging.getLogger("uvicorn.error")
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    log.addHandler(handler)
    log.propagate = False
    try:
        yield heard
    finally:
        log.removeHandler(handler)
        log.propagate = True
