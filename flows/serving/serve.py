"""Serve the champion over HTTP: by our own service, or by MLflow's server, for `make serve`.

Our own notices a promotion. MLflow's serves the version that is the champion when it starts,
written anew from its Keras file: with this clone's code, never with code out of the store, and with
the temperature on record.
"""

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slimderm.components.classification.classifier import columns_of
from slimderm.components.common.cache import content_key, replacing
from slimderm.components.monitoring.inputs import EMBEDDING
from slimderm.flows.base.terminal import console
from slimderm.flows.config.params import RecordSettings, read_params
from slimderm.flows.config.registry_policy import read_registry
from slimderm.flows.record.mlflow_store import Tracker, import_mlflow, tracking_address
from slimderm.flows.record.model_folder import write_model
from slimderm.flows.record.registry import Registry, temperature_of
from slimderm.flows.serving.service.settings import ServiceSettings
from slimderm.flows.serving.watch.recorder import recorder_of

if TYPE_CHECKING:
    from slimderm.flows.serving.service.champion import Champion

HOST = os.environ.get("SERVERS_HOST", "127.0.0.1")
EXAMPLE = {"age": 45, "sex": "female", "localization": "back"}


def serve() -> None:
    """Answer requests until the process is stopped.

    Raises
    ------
    RecordError
        If there is no champion, its gates failed, or its artifact is damaged.
    """
    import uvicorn

    from slimderm.flows.serving.service.app import make_app
    from slimderm.flows.serving.service.champion import Champion
    from slimderm.flows.serving.service.last_served import LastServed

    settings, record = ServiceSettings.read(), read_params().record
    recorder = recorder_of(settings.record, "service")
    champion = Champion(
        lambda: _registry(record),
        by_keras=settings.by_keras,
        embedding=settings.record == EMBEDDING,
        last=LastServed(kept_folder(record)),
    )

    def stop() -> None:
        server.should_exit = True

    app = make_app(champion, settings, recorder, stop=stop)
    config = uvicorn.Config(
        app, host=HOST, port=settings.port, log_level="warning", server_header=False
    )
    server = uvicorn.Server(config)
    bound = config.bind_socket()  # a port that is taken ends it here
    _say(champion, settings)
    with contextlib.suppress(KeyboardInterrupt):
        server.run([bound])
    if champion.refused:
        raise champion.refused


def _registry(record: RecordSettings) -> Registry:
    import_mlflow()
    return Registry(Tracker(record))


def _say(champion: "Champion", settings: ServiceSettings) -> None:
    now = champion.now
    calibrated = "calibrated" if now.described["calibrated"] else "not calibrated"
    place = f"http://{HOST}:{settings.port}"
    note = f"\nnote:  {champion.fault}" if champion.fault else ""
    console.print(
        f"serve: {now.name} version {now.version} at {place}, {now.classifier.file}, {calibrated}\n"
        f"ask:   curl -s {place}/predict -F image=@photo.jpg{form(now.classifier.description)}\n"
        f"see:   {place}/docs for the interface, {place}/metrics for Prometheus\n"
        f"kept:  {settings.record} of inputs{note}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def kept_folder(record: RecordSettings) -> Path:
    """Return where a service keeps what it served last, for each store and model apart."""
    model = record.model or read_registry().model
    return Path(record.cache, "service", content_key(address=tracking_address(record), model=model))


def form(description: Any) -> str:
    """Write the fields of a person for curl."""
    return "".join(f" -F {name}={EXAMPLE[name]}" for name in columns_of(description)[1:])


def serve_by_mlflow() -> None:
    """Become MLflow's server.

    Raises
    ------
    RecordError
        If there is no champion, its gates failed, or its artifact is damaged.
    """
    port = ServiceSettings.read().port
    tracker = Tracker(read_params().record)
    registry = Registry(tracker)
    version = registry.promotions.served()
    _, description = registry.load(version)  # a damaged artifact is an error here
    folder = served_folder(registry, version, port)
    calibrated = temperature_of(version) is not None
    console.print(
        f"serve: {version.name} version {version.version} at {invocations(port)}, "
        f"probabilities {'calibrated' if calibrated else 'not calibrated'}\n"
        f"ask:   {example(description, port)}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    os.environ["MLFLOW_TRACKING_URI"] = tracker.mlflow.get_tracking_uri()
    serving = ["models", "serve", "--model-uri", str(folder), "--env-manager", "local"]
    place = ["--host", HOST, "--port", str(port)]
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", *serving, *place])


def served_folder(registry: Registry, version: Any, port: int) -> Path:
    """Write a version, of whatever age, into a folder as MLflow serves it.

    Each port has its own, so no server's files change under it.
    """
    place = Path(registry.tracker.settings.cache, "served", str(port))
    with registry.fetched(version) as (file, description), replacing(place) as draft:
        write_model(draft / "model", file, description, temperature_of(version))
    return place / "model"


def invocations(port: int) -> str:
    """Return where MLflow's server is asked."""
    return f"http://{HOST}:{port}/invocations"


def example(description: Any, port: int) -> str:
    """Write a command that asks the server about one photograph."""
    rest = "".join(
        f', "{name}": {json.dumps(EXAMPLE[name])}' for name in columns_of(description)[1:]
    )
    body = f'{{"dataframe_records": [{{"image": "%s"{rest}}}]}}'
    return (
        f"printf '{body}' $(base64 -w0 photo.jpg) | curl -s {invocations(port)} "
        "-H content-type:application/json -d @-"
    )
