"""A Prefect server inside the process of a flow, used if the environment names no other.

Prefect would start one in a new process, which imports everything again; a thread of this process
need not.
"""

import gc
import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from logging.handlers import BufferingHandler
from threading import Thread

import uvicorn
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_SERVER_EPHEMERAL_ENABLED,
    PREFECT_UI_URL,
    temporary_settings,
)

from slimderm.components.common.errors import SlimDermError
from slimderm.flows.servers.prefect_database import database

HOST = "127.0.0.1"
GRACE = 30  # seconds, for a flow's last logs, and for the server to end


class ServerError(SlimDermError):
    """The server inside this process did not start."""


@contextmanager
def embedded_server() -> Iterator[None]:
    """Let flows inside the block find a server: a thread's, unless ``PREFECT_API_URL`` names one.

    It serves on loopback, on a port that is free, from this clone's database or the one that
    Prefect's settings name. It ends with the block, after it has received the flows' logs. Use it
    once in a process: Prefect's server starts its services a single time.

    Raises
    ------
    ServerError
        If it does not start.
    """
    if PREFECT_API_URL.value() or not PREFECT_SERVER_EPHEMERAL_ENABLED.value():
        yield
        return
    with temporary_settings(database()):
        server, thread = _serve()
    port = server.servers[0].sockets[0].getsockname()[1]
    # This server has no pages, so Prefect shall not print their addresses.
    with temporary_settings({PREFECT_API_URL: f"http://{HOST}:{port}/api", PREFECT_UI_URL: ""}):
        try:
            yield
        finally:
            EventsWorker.instance().wait_until_empty()  # draining it earlier logs an error
            EventsWorker.drain_all(timeout=GRACE)
            APILogWorker.drain_all(timeout=GRACE)
            server.should_exit = True
            thread.join(GRACE)


def _serve() -> tuple[uvicorn.Server, Thread]:
    """Start the server."""
    gc.disable()  # what these imports make stays; a search among it finds nothing
    from prefect.server.api.server import create_app

    app = create_app(ephemeral=True, final=True)
    gc.freeze()
    gc.enable()
    server = uvicorn.Server(
        uvicorn.Config(app, HOST, 0, log_level="error", timeout_graceful_shutdown=GRACE)
    )
    # With the settings of this thread, which a new one would not have.
    target = partial(copy_context().run, server.run)
    thread = Thread(target=target, name="prefect-server", daemon=True)
    with _errors_of_uvicorn() as heard:
        thread.start()
        while not server.started:
            if not thread.is_alive():
                said = "\n".join(record.getMessage() for record in heard)
                reasons = re.findall(r"^[\w.]+: .+", said, re.MULTILINE) or ["no reason given"]
                raise ServerError(
                    f"Prefect's own server did not start, {reasons[-1]}; "
                    "PREFECT_API_URL can name one that runs (`make up`)"
                )
            time.sleep(0.02)
    return server, thread


@contextmanager
def _errors_of_uvicorn() -> Iterator[list[logging.LogRecord]]:
    """Collect uvicorn's log records inside the block, tracebacks included, and do not show them."""
    handler, log = BufferingHandler(capacity=1000), logging.getLogger("uvicorn.error")
    log.addHandler(handler)
    log.propagate = False
    try:
        yield handler.buffer
    finally:
        log.removeHandler(handler)
        log.propagate = True
