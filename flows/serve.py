"""Serve the champion over HTTP with MLflow's own server, for `make serve`.

The process asks once, at its start, whether the champion's gates are open, and serves that version:
a promotion is taken up by a restart.
"""

import os
import sys

from flows.params import read_params
from flows.registry import Registry
from flows.runtime import command_line, console, load_keras
from flows.service import HOST
from flows.tracking import Tracker

PORT = os.environ.get("SERVE_PORT", "5001")


def main() -> None:
    """Become the server.

    Raises
    ------
    RecordError
        If there is no champion, its gates are shut, or its artifact is damaged.
    """
    tracker = Tracker(read_params().record)
    registry = Registry(tracker)
    version = registry.served()
    load_keras()
    registry.load(version)  # which says what is wrong with one that MLflow's server would choke on
    console.print(
        f"serve: {version.name} version {version.version} at http://{HOST}:{PORT}/invocations",
        highlight=False,
    )
    os.environ["MLFLOW_TRACKING_URI"] = tracker.mlflow.get_tracking_uri()
    model = f"models:/{version.name}/{version.version}"
    serving = ["models", "serve", "--model-uri", model, "--env-manager", "local"]
    place = ["--host", HOST, "--port", PORT]
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", *serving, *place])


if __name__ == "__main__":
    with command_line():
        main()
