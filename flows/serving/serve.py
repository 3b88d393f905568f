"""Serve the champion over HTTP with MLflow's own server, for `make serve`.

The process checks once, when it starts, that the champion's gates passed, and serves that version.
Restart it after a promotion. What is served is written anew from the version's Keras file: with
this clone's code, never with code out of the store, and with the temperature on record.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from slimderm.components.classification.classifier import columns_of
from slimderm.components.common.cache import replacing
from slimderm.flows.base.terminal import console
from slimderm.flows.config.params import read_params
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.model_folder import write_model
from slimderm.flows.record.registry import Registry, temperature_of

HOST = os.environ.get("SERVERS_HOST", "127.0.0.1")
PORT = os.environ.get("SERVE_PORT", "5001")
EXAMPLE = {"age": 45, "sex": "female", "localization": "back"}


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
    _, description = registry.load(version)  # a damaged artifact is an error here
    folder = served_folder(registry, version)
    calibrated = temperature_of(version) is not None
    console.print(
        f"serve: {version.name} version {version.version} at http://{HOST}:{PORT}/invocations, "
        f"probabilities {'calibrated' if calibrated else 'not calibrated'}\n"
        f"ask:   {example(description)}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    os.environ["MLFLOW_TRACKING_URI"] = tracker.mlflow.get_tracking_uri()
    serving = ["models", "serve", "--model-uri", str(folder), "--env-manager", "local"]
    place = ["--host", HOST, "--port", PORT]
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", *serving, *place])


def served_folder(registry: Registry, version: Any) -> Path:
    """Write a version, of whatever age, into a folder as MLflow serves it.

    Each port has its own, so no server's files change under it.
    """
    place = Path(registry.tracker.settings.cache, "served", PORT)
    with registry.fetched(version) as (file, description), replacing(place) as draft:
        write_model(draft / "model", file, description, temperature_of(version))
    return place / "model"


def example(description: Any) -> str:
    """Write a command that asks the server about one photograph."""
    rest = "".join(
        f', "{name}": {json.dumps(EXAMPLE[name])}' for name in columns_of(description)[1:]
    )
    body = f'{{"dataframe_records": [{{"image": "%s"{rest}}}]}}'
    return (
        f"printf '{body}' $(base64 -w0 photo.jpg) | curl -s http://{HOST}:{PORT}/invocations "
        "-H content-type:application/json -d @-"
    )
