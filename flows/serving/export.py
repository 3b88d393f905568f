"""A network as a small file for an edge device, judged by its own runtime, in a folder."""

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from slimderm.components.common.errors import ParameterError
from slimderm.components.evaluation.calibration import tempered
from slimderm.flows.base.files import write_json, write_text
from slimderm.flows.base.keras_loader import load_keras
from slimderm.flows.base.terminal import quiet_stderr
from slimderm.flows.config.params import read_params
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.registry import Registry, temperature_of
from slimderm.flows.work.edge_images import Images, random_images, validation_images

ARTEFACT, PAGE, LEDGER = "model.tflite", "README.md", "ledger.json"
CHAMPION, CHALLENGER = "champion", "challenger"
LIBRARIES = ("ai-edge-litert", "keras", "numpy", "tensorflow")
OF_A_VERSION = (
    "SlimDerm's code is under the Apache License 2.0. A network is bound by the licence of the "
    "images that it was trained on; HAM10000's is CC BY-NC 4.0: attribution, non-commercial."
)
OF_A_FILE = (
    "That of the network's makers, and of the images that it was trained on: nothing in the model "
    "file says which."
)


@dataclass(frozen=True)
class Network:
    """What is exported.

    Attributes
    ----------
    model : keras.Model
    name : str
        For people: a file's name, or the registered model's with its version.
    white : float
        What a white pixel is in the images that it takes.
    temperature : float or None
        None where nobody has fitted one.
    description : mapping or None
        Of a version, as `slimderm.flows.work.training.Trainer.description` gives it.
    """

    model: Any
    name: str
    white: float = 255.0
    temperature: float | None = None
    description: Mapping[str, Any] | None = None

    @property
    def encoder(self) -> Mapping[str, Any] | None:
        """How age, sex and site become numbers; None where nobody knows or the network has none."""
        told = self.description or {}
        return None if told.get("image_only", True) else told["encoder"]


def registered(which: str) -> Network:
    """Load a registered version.

    Parameters
    ----------
    which : str
        ``champion``, which must be one that may be served; ``challenger``; or a number.

    Raises
    ------
    RecordError
        If there is no such version, it cannot be loaded, or the champion may not be served.
    """
    load_keras()
    registry = Registry(Tracker(read_params().record))
    if which == CHAMPION:
        version = registry.served()
    elif which == CHALLENGER:
        version = registry.expected(CHALLENGER)
    else:
        version = registry.version(which.rpartition("/")[2])
    model, description = registry.load(version)
    name = f"{version.name} version {version.version}"
    temperature = temperature_of(version)
    return Network(model, name, temperature=temperature, description=description)


def check_folder(out: Path) -> None:
    """Refuse a folder that holds something: files of two exports would lie side by side.

    Raises
    ------
    ParameterError
        If it is a file, or a folder that is not empty.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ParameterError(
            f"OUT: received {str(out)!r}, which exists and is no empty folder, expected the name "
            "of a new one"
        )


def export_network(
    network: Network, target: str, out: Path, *, encoded: bool = False
) -> dict[str, Any]:
    """Convert a network, judge the file by its runtime, and write both with a page.

    Parameters
    ----------
    network : Network
    target : str
        A key of `slimderm.components.export.table.TARGETS`.
    out : path
        A folder that is made.
    encoded : bool
        The file takes age, sex and site as the network does: encoded, as ``metadata``. A network
        without an encoder is shipped so anyway.

    Returns
    -------
    dict
        What ``ledger.json`` holds.

    Raises
    ------
    ParameterError
        As `slimderm.components.export.artefact.export`, or if the folder holds files.
    ExportError
        If the converter refuses the network, or the runtime does not run the file; then nothing is
        written.
    """
    from slimderm.components.export.artefact import export
    from slimderm.components.export.judge import compare, judge
    from slimderm.components.export.readme import readme

    check_folder(out)
    encoder, temperature = None if encoded else network.encoder, network.temperature or 1.0
    with quiet_stderr():
        artefact = export(network.model, target, temperature=temperature, encoder=encoder)
    images = _images(network)
    given = images.for_file(encoder)
    judgement = judge(artefact, given)
    wanted = tempered(_predicted(network.model, images.inputs), temperature)
    difference = compare(judgement.probabilities, wanted)
    ledger = _described(network, target, artefact, wanted.shape[1]) | {
        "inputs": {name: [1, *array.shape[1:]] for name, array in given.items()},
        "compared": {"images": images.words} | asdict(difference),
        "latency": {str(number): asdict(each) for number, each in judgement.latency.items()},
        "peak_memory_bytes": judgement.peak_bytes,
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / ARTEFACT).write_bytes(artefact)
    write_text(out / PAGE, readme(ledger))
    write_json(out / LEDGER, ledger)
    return ledger


def _predicted(model: Any, inputs: Mapping[str, Any]) -> Any:
    """Return Keras's probabilities, (N, C)."""
    from slimderm.components.model_graph.calls import ends, packed

    given = packed(model, [inputs[tensor.name] for tensor in ends(model)[0]])
    return model.predict(given, verbose=0)


def _images(network: Network) -> Images:
    """Return validation images where this clone has them, else drawn ones."""
    found = validation_images(network.description) if network.description else None
    return found or random_images(network.model, network.white, network.encoder)


def _described(network: Network, target: str, artefact: bytes, num_classes: int) -> dict[str, Any]:
    from slimderm.components.export.table import get

    told = network.description or {}
    return {
        "artefact": ARTEFACT,
        "target": target,
        "summary": get(target).summary,
        "bytes": len(artefact),
        "sha256": hashlib.sha256(artefact).hexdigest(),
        "model": {"name": network.name, "parameters": network.model.count_params()},
        "temperature": network.temperature,
        "white": network.white,
        "num_classes": num_classes,
        "classes": told.get("classes"),
        "encoder": network.encoder,
        "preparation": _preparation(told),
        "licence": OF_A_VERSION if told else OF_A_FILE,
        "machine": f"{platform.system()} {platform.machine()}",
        "libraries": {name: version_of(name) for name in LIBRARIES},
    }


def _preparation(told: Mapping[str, Any]) -> str | None:
    """Say how training images came to their size; nothing where nobody knows."""
    if not told:
        return None
    height, width = told["size"]
    words = f"Images are brought to {height} rows of {width} by averaging areas (OpenCV INTER_AREA)"
    if told["variant"] == "original":
        return f"{words}, not cropped."
    rank = f"truncated to rank {told['k']} and " if told["k"] else ""
    return (
        f"{words}, not cropped. Training images had been {rank}stored as {told['codec']} of "
        f"quality {told['quality']} before; the file does not do that for you."
    )
