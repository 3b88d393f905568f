"""What answers for a version: the file that it is shipped as, else its network.

The file is what gates judged, and needs no TensorFlow, which takes seconds to import.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd

from slimderm.components.classification.classifier import Classifier
from slimderm.components.export.person import plain_inputs
from slimderm.components.export.target import rows
from slimderm.flows.base.terminal import quiet_stderr
from slimderm.flows.record.registry import Registry, temperature_of
from slimderm.flows.work.shipment import Shipment
from slimderm.flows.work.shipped_version import fetch, file_sentence, is_shipped


@dataclass(frozen=True)
class ShippedClassifier(Classifier):
    """A `Classifier` whose ``model`` runs a shipped file: an image's inputs to probabilities.

    The temperature lies in the file; ``temperature`` says which it is.
    """

    def _given(self, images: Sequence[np.ndarray], people: pd.DataFrame) -> np.ndarray:
        inputs = {"image": np.stack(images).astype(np.float32)}
        if not self.description["image_only"]:
            inputs |= plain_inputs(people, self.description["encoder"])
        found = np.concatenate([self.model(row) for row in rows(inputs)])
        return np.asarray(found, np.float64)

    def _calibrated(self, given: np.ndarray) -> np.ndarray:
        # A file's sum to 1 but for its rounding.
        return np.asarray(given / given.sum(axis=1, keepdims=True), np.float64)


@dataclass(frozen=True)
class ShippedFile:
    """A version's shipped file, and what it takes to answer by it.

    Attributes
    ----------
    made : Shipment
    description : dict
        The metadata that was logged beside the version's model.
    sentence : str
        Which file it is, and its bytes.
    """

    made: Shipment
    description: dict[str, Any]
    sentence: str

    def classifier(self) -> ShippedClassifier | None:
        """Load it by its runtime; None where only the machine of the review has that."""
        try:
            run = _run(self.made)
        except ImportError:
            return None
        temperature = self.made.ledger["temperature"]
        return ShippedClassifier(run, self.description, temperature, self.sentence)


def shipped_file(registry: Registry, version: Any) -> ShippedFile | None:
    """Fetch the file that a version is shipped as; None where it is shipped as none.

    Raises
    ------
    RecordError
        If the version or its file is damaged or missing.
    """
    if not is_shipped(version):
        return None
    made = fetch(registry, version)
    with registry.fetched(version) as (_, description):
        return ShippedFile(made, description, file_sentence(version.tags))


def classifier_of(
    registry: Registry, version: Any, *, by_keras: bool = False, embedding: bool = False
) -> Classifier:
    """Return what answers for a version.

    Parameters
    ----------
    by_keras : bool
        Its Keras model answers, also where a review has shipped it as a file.
    embedding : bool
        Answers tell the embedding, which its Keras model gives, whatever answers.

    Raises
    ------
    RecordError
        If the version or its file is damaged or missing.
    """
    file = None if by_keras else shipped_file(registry, version)
    return answering(registry, version, file, embedding=embedding)


def answering(
    registry: Registry, version: Any, file: ShippedFile | None, *, embedding: bool = False
) -> Classifier:
    """Return what answers for a version: its file where one is given and runs here, else Keras.

    Raises
    ------
    RecordError
        If the version's Keras model is needed and cannot be loaded.
    """
    shipped = file.classifier() if file else None
    if shipped is not None and not embedding:
        return shipped
    model, description = registry.load(version)
    classifier = shipped or Classifier(model, description, temperature_of(version))
    if not embedding:
        return classifier
    from slimderm.components.monitoring.embedding import with_embedding

    return with_embedding(classifier, model)


def _run(made: Shipment) -> Callable[[Mapping[str, Any]], Any]:
    """Load a file by its runtime, for one request at a time: runtimes keep what they compute."""
    load = import_module(f"slimderm.components.export.run_{made.ledger['runtime']}").load
    with TemporaryDirectory() as place:
        file = Path(place, made.ledger["artefact"])
        file.write_bytes(made.artefact)
        with quiet_stderr():  # LiteRT says how it computes
            run = load(str(file), 1)
    turn = Lock()

    def run_alone(row: Mapping[str, Any]) -> Any:
        with turn:
            return np.array(run(row))

    return run_alone
