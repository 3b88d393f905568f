"""The file that a registered version is shipped as: made by its review, kept beside its run."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from slimderm.components.common.errors import ExportError, ParameterError, RecordError
from slimderm.flows.base.files import read_json
from slimderm.flows.record.registry import Registry
from slimderm.flows.work.edge_images import Images
from slimderm.flows.work.edge_network import Network
from slimderm.flows.work.shipment import LEDGER, Shipment
from slimderm.flows.work.shipping import Shipping

FOLDER = "edge"  # of the run's artifacts
TARGET_TAG = "edge.target"  # of a version; none where nothing is shipped
HASH_TAG = "edge.sha256"  # of a version's file


def ship(
    registry: Registry, network: Network, validation: Images | None = None
) -> tuple[Shipment | None, str]:
    """Make the best file of the policy's targets, judged by validation images.

    Returns
    -------
    shipment : Shipment or None
    why : str
        Of the one that was chosen, what its accuracy is; else why there is none.
    """
    settings = registry.settings
    try:
        made = Shipping(network, settings=settings, validation=validation).best(
            settings.ship.targets
        )
    except (ExportError, ParameterError) as error:
        return None, str(error)
    return made, made.verdict or ""


def costs_of(made: Shipment | None, metrics: Mapping[str, float]) -> dict[str, float]:
    """Return what gates judge: of the file that is shipped, else of the Keras model's run."""
    if made is None:
        return {**metrics, "latency_ms": metrics["latency_p50_ms"]}
    return {"bytes": made.ledger["bytes"], "latency_ms": made.ledger["latency"]["1"]["p50_ms"]}


def keep(registry: Registry, version: Any, made: Shipment | None, why: str) -> None:
    """Keep a version's file: artifacts of its run, and tags."""
    if made is None:
        registry.tag(version, {TARGET_TAG: "none", HASH_TAG: "none", "edge.reason": why})
        return
    with TemporaryDirectory() as place:
        made.write(Path(place))
        registry.client.log_artifacts(version.run_id, place, FOLDER)
    ledger, calibration = made.ledger, made.ledger["calibration"]
    tags = {
        TARGET_TAG: ledger["target"],
        "edge.reason": why,
        "edge.bytes": str(ledger["bytes"]),
        HASH_TAG: ledger["sha256"],
        "edge.latency_p50_ms": f"{ledger['latency']['1']['p50_ms']:.4g}",
        "edge.calibration": calibration["sha256"] if calibration else "none",
    }
    registry.tag(version, tags)


def file_sentence(tags: Mapping[str, str]) -> str:
    """Say what a version with these tags is shipped as; empty where nothing is.

    Without its milliseconds: what a review writes is the same where nothing but time differs.
    """
    if tags.get(TARGET_TAG, "none") == "none":
        return ""
    return f"{tags[TARGET_TAG]}, {int(tags['edge.bytes']):,} bytes"


def is_shipped(version: Any) -> bool:
    """Return whether a review has kept a file of a version."""
    return bool(version.tags.get(TARGET_TAG, "none") != "none")


def can_be_fetched(registry: Registry, version: Any) -> bool:
    """Return whether the file of a version can be fetched, where a review has kept one."""
    try:
        return not is_shipped(version) or bool(fetch(registry, version))
    except RecordError:
        return False


def fetch(registry: Registry, version: Any) -> Shipment:
    """Fetch the file that a version is shipped as.

    Raises
    ------
    RecordError
        If it is missing or is not the one that was judged.
    """
    with TemporaryDirectory() as place:
        try:
            folder = Path(
                registry.tracker.mlflow.artifacts.download_artifacts(
                    run_id=version.run_id, artifact_path=FOLDER, dst_path=place
                )
            )
            ledger = read_json(folder / LEDGER)
            artefact = (folder / ledger["artefact"]).read_bytes()
        except Exception as error:  # MLflow's, and those of each store
            raise RecordError(
                f"the shipped file of version {version.version} cannot be fetched "
                f"({type(error).__name__}); `make review` makes it anew"
            ) from error
    made = Shipment(artefact, ledger)
    if not made.is_intact or ledger["sha256"] != version.tags.get(HASH_TAG):
        raise RecordError(
            f"the shipped file of version {version.version} is not the one that was judged: its "
            "hash differs; `make review` makes it anew"
        )
    return made
