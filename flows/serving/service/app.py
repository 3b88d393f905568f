"""The service's addresses."""

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi_offline import FastAPIOffline

from slimderm.flows.serving.service.answers import NOTE
from slimderm.flows.serving.service.champion import Champion
from slimderm.flows.serving.service.counts import Counts
from slimderm.flows.serving.service.errors import add_errors
from slimderm.flows.serving.service.guard import Guard
from slimderm.flows.serving.service.routes import routes
from slimderm.flows.serving.service.settings import ServiceSettings
from slimderm.flows.serving.watch.recorder import Recorder

ABOUT = f"Classifies dermatoscopic photographs. {NOTE}"


def make_app(
    champion: Champion,
    settings: ServiceSettings,
    recorder: Recorder | None = None,
    *,
    stop: Callable[[], object],
) -> FastAPI:
    """Build the service.

    Parameters
    ----------
    champion : Champion
        Which version answers.
    settings : ServiceSettings
        Limits.
    recorder : Recorder, optional
        Keeps statistics of inputs; the one that prepared the champion.
    stop : callable
        Called where the registry refuses the version that answers since the start.

    Returns
    -------
    FastAPI
        ``POST /predict`` (a form with a file), ``POST /predict/base64`` (JSON), ``/model``,
        ``/health``, ``/ready``, ``/metrics``, ``/docs``, and a page at ``/``.
    """

    @asynccontextmanager
    async def watching(_app: FastAPI) -> AsyncIterator[None]:
        ended = threading.Event()
        given = (settings.watch_seconds, ended, stop)
        threading.Thread(target=champion.watch, args=given, daemon=True).start()
        yield
        ended.set()

    # Offline: its page of the interface brings its own scripts, and none from elsewhere.
    app = FastAPIOffline(title="SlimDerm", version="1", description=ABOUT, lifespan=watching)
    counts = Counts()
    app.include_router(routes(champion, counts, recorder))
    add_errors(app)
    app.add_middleware(Guard, settings=settings, counts=counts)
    if settings.origins:
        origins = [each.strip() for each in settings.origins.split(",")]
        app.add_middleware(CORSMiddleware, allow_origins=origins, allow_methods=["GET", "POST"])
    return app
