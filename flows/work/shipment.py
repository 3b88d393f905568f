"""A shipped file with its ledger, and what is said of its accuracy."""

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

from slimderm.components.evaluation.noninferiority import Word
from slimderm.flows.base.files import write_json, write_text
from slimderm.flows.work.edge_network import Network

PAGE, LEDGER = "README.md", "ledger.json"
TIMES = ("latency", "peak_memory_bytes")
LIBRARIES = (
    *("ai-edge-litert", "keras", "litert-quantizer", "numpy", "onnx", "onnxruntime"),
    *("tensorflow", "tf2onnx"),
)
OF_A_VERSION = (
    "SlimDerm's code is under the Apache License 2.0. A network is bound by the licence of the "
    "images that it was trained on; HAM10000's is CC BY-NC 4.0: attribution, non-commercial."
)
OF_A_FILE = (
    "That of the network's makers, and of the images that it was trained on: nothing in the model "
    "file says which."
)


@dataclass(frozen=True)
class Shipment:
    """A file, and what ``ledger.json`` beside it holds."""

    artefact: bytes
    ledger: dict[str, Any]

    @property
    def verdict(self) -> str | None:
        """On its accuracy beside Keras's; None where no labelled images could tell."""
        accuracy = self.ledger["accuracy"]
        return str(accuracy["verdict"]) if accuracy else None

    @property
    def is_intact(self) -> bool:
        """Whether the file is the one that the ledger describes."""
        return bool(hashlib.sha256(self.artefact).hexdigest() == self.ledger["sha256"])

    @property
    def without_times(self) -> "Shipment":
        """The same file, without what differs from one machine and hour to the next.

        An output of a DVC stage is to be the same where nothing but time differs.
        """
        kept = {name: value for name, value in self.ledger.items() if name not in TIMES}
        return Shipment(self.artefact, kept)

    def write(self, out: Path) -> None:
        """Write file, page and ledger into a folder, which is made."""
        from slimderm.components.export.readme import readme

        out.mkdir(parents=True, exist_ok=True)
        (out / self.ledger["artefact"]).write_bytes(self.artefact)
        write_text(out / PAGE, readme(self.ledger))
        write_json(out / LEDGER, self.ledger)


def described(network: Network, target: str, artefact: bytes) -> dict[str, Any]:
    """Return what a ledger says of a file before it is run."""
    from slimderm.components.export.table import get

    runtime = get(target).runtime
    return {
        "artefact": f"model{runtime.suffix}",
        "target": target,
        "runtime": runtime.name,
        "summary": get(target).summary,
        "bytes": len(artefact),
        "sha256": hashlib.sha256(artefact).hexdigest(),
        "model": {"name": network.name, "parameters": network.model.count_params()},
        "temperature": network.temperature,
        "white": network.white,
        "classes": (network.description or {}).get("classes"),
        "encoder": network.encoder,
        "preparation": network.preparation,
        "licence": OF_A_VERSION if network.description else OF_A_FILE,
        "machine": f"{platform.system()} {platform.machine()}",
        "libraries": {name: version_of(name) for name in LIBRARIES},
    }


def sentence(ledger: Mapping[str, Any]) -> str:
    """Say what a file's accuracy is beside Keras's."""
    accuracy = ledger["accuracy"]
    said = []
    for name, each in accuracy["metrics"].items():
        words = f"{name.replace('_', ' ')} {each['file']:.3f}, Keras's {each['keras']:.3f}"
        if each["low"] is not None:
            words += f", difference {each['file'] - each['keras']:+.3f}"
            words += f" ({each['low']:+.3f} to {each['high']:+.3f}), margin {each['margin']:g}"
        said.append(f"{words}: {each['verdict']}")
    said.append(f"{accuracy['num_images']} images of {accuracy['num_lesions']} lesions")
    return "; ".join(said)


def warning(accuracy: Mapping[str, Any] | None) -> str | None:
    """Say what speaks against a file; None where nothing does, or nothing could be judged."""
    if accuracy is None or accuracy["verdict"] == Word.NON_INFERIOR:
        return None
    if accuracy["verdict"] == Word.INCONCLUSIVE:
        return "the images are too few to show that this file is not worse than the network"
    return "this file is worse than the network that it was made of, by more than the margin"
