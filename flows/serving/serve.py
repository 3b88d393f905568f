"""Serve the champion over HTTP with MLflow's own server, for `make serve`.

The process checks once, when it starts, that the champion's gates passed, and serves that version.
Restart it after a promotion.
"""

import os
import sys

from slimderm.flows.base.keras_loader import load_keras
from slimderm.flows.base.terminal import console
from slimderm.flows.config.params import read_params
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.registry import Registry

HOST = os.environ.get("SERVERS_HOST", "127.0.0.1")
PORT = os.environ.get("SERVE_PORT", "5001")


def serve() -> None:
    """Become the server.

    Raises
    ------
    RecordError
        If there is no champion, its gates failed, or its artifact is damaged.
    """
    tracker = Tracker(read_params().record)
    registry = Registry(tracker)
    version = registry.served()
    load_keras()
    registry.load(version)  # a damaged artifact is an error here
    console.print(
        f"serve: {version.name} version {version.version} at http://{HOST}:{PORT}/invocations",
        highlight=False,
    )
    os.environ["MLFLOW_TRACKING_URI"] = tracker.mlflow.get_tracking_uri()
    model = f"models:/{version.name}/{version.version}"
    serving = ["models", "serve", "--model-uri", model, "--env-manager", "local"]
    place = ["--host", HOST, "--port", PORT]
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", *serving, *place])
