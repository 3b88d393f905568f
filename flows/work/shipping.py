"""A network made into files for small runtimes, each judged by its own; and the best of them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from slimderm.components.common.errors import ExportError, ParameterError
from slimderm.components.evaluation.calibration import tempered
from slimderm.components.evaluation.noninferiority import MARGINS, Word
from slimderm.flows.base.terminal import quiet_stderr
from slimderm.flows.config.registry_policy import RegistrySettings
from slimderm.flows.work.edge_images import (
    SEED,
    Images,
    random_images,
    training_images,
    validation_images,
)
from slimderm.flows.work.edge_network import Network
from slimderm.flows.work.shipment import Shipment, described, sentence, warning


@dataclass(frozen=True)
class Shipping:
    """Makes and judges files of one network; what they share is read once.

    Attributes
    ----------
    network : Network
    encoded : bool
        Files take age, sex and site as the network does: encoded, as ``metadata``. A network
        without an encoder is shipped so anyway.
    settings : RegistrySettings
        Its gates give margins and intervals.
    validation : Images, optional
        By which files are judged, where the caller has read them.
    """

    network: Network
    encoded: bool = False
    settings: RegistrySettings = field(default_factory=RegistrySettings)
    validation: Images | None = None

    @property
    def encoder(self) -> Mapping[str, Any] | None:
        """What goes into the graph."""
        return None if self.encoded else self.network.encoder

    @cached_property
    def images(self) -> Images:
        """Validation images where this clone has them, else drawn ones."""
        found = self.validation or validation_images(self.network)
        return found or random_images(self.network)

    @cached_property
    def calibration(self) -> Images:
        """Training images.

        Raises
        ------
        ParameterError
            If there are none.
        """
        found = training_images(self.network)
        if found is None:
            raise ParameterError(
                "target: received one whose ranges are measured on training images, and there are "
                "none; expected another target, or --model in a clone with the dataset"
            )
        return found

    @cached_property
    def wanted(self) -> np.ndarray:
        """Keras's probabilities of `images`, (N, C), calibrated; in float32, as files compute."""
        from slimderm.components.export.shipped import in_float32
        from slimderm.components.model_graph.calls import ends, packed

        model, inputs = in_float32(self.network.model), self.images.inputs
        given = packed(model, [inputs[tensor.name] for tensor in ends(model)[0]])
        return tempered(model.predict(given, verbose=0), self.network.temperature or 1.0)

    @property
    def has_labels(self) -> bool:
        """Whether `images` can say how accurate a file is."""
        return self._labelled is not None

    def convert(self, target: str) -> bytes:
        """Make a file.

        Raises
        ------
        ParameterError, ExportError
            As `slimderm.components.export.artefact.export`.
        """
        from slimderm.components.export.artefact import export
        from slimderm.components.export.table import get

        calibrated = get(target).calibrated
        images = self.calibration.for_file(self.encoder) if calibrated else None
        with quiet_stderr():
            return export(
                self.network.model,
                target,
                temperature=self.network.temperature or 1.0,
                encoder=self.encoder,
                calibration=images,
            )

    def judge(self, target: str, artefact: bytes) -> Shipment:
        """Run a file by its runtime on `images`, and describe it.

        Raises
        ------
        ExportError
            If its runtime does not run it.
        """
        from slimderm.components.export.judge import compare, judge
        from slimderm.components.export.table import get

        given = self.images.for_file(self.encoder)
        judgement = judge(artefact, given, get(target).runtime)
        found = judgement.probabilities
        accuracy = self._accuracy(found)
        ledger = described(self.network, target, artefact) | {
            "inputs": {name: [1, *array.shape[1:]] for name, array in given.items()},
            "num_classes": self.wanted.shape[1],
            "calibration": self._calibration_told() if get(target).calibrated else None,
            "compared": {"images": self.images.words} | asdict(compare(found, self.wanted)),
            "accuracy": accuracy,
            "warning": warning(accuracy),
            "latency": {str(number): asdict(each) for number, each in judgement.latency.items()},
            "peak_memory_bytes": judgement.peak_bytes,
        }
        return Shipment(artefact, ledger)

    def best(self, targets: Sequence[str]) -> Shipment:
        """Make files for several targets, and return the smallest that runs and is non-inferior.

        Where the images are too few to show that of any, it is the one whose probabilities are
        nearest to Keras's, of those that are not inferior; its warning says so. The ledger's
        ``tried`` says of each other target why it is not.

        Raises
        ------
        ParameterError
            For an unknown target, or if there are no labelled images.
        ExportError
            If no file runs, or all are inferior.
        """
        from slimderm.components.export.table import get

        for target in targets:
            get(target)
        if not self.has_labels:
            raise ParameterError(
                "target: received best, and there are no labelled validation images by which to "
                "tell; expected a target's name, or --model in a clone with the dataset"
            )
        tried: dict[str, str] = {}
        open_ones: dict[str, Shipment] = {}
        for target, artefact in self._by_size(targets, tried):
            try:
                made = self.judge(target, artefact)
            except ExportError as error:
                tried[target] = str(error)
                continue
            if made.verdict == Word.NON_INFERIOR:
                return self._told(target, made, tried | _larger(targets, tried, target))
            tried[target] = f"{len(artefact):,} bytes, {made.verdict}: {sentence(made.ledger)}"
            if made.verdict == Word.INCONCLUSIVE:
                open_ones[target] = made
        if not open_ones:
            said = "; ".join(f"{name}: {why}" for name, why in tried.items())
            raise ExportError(f"no target's file runs and is non-inferior to Keras: {said}")
        nearest = min(open_ones, key=lambda name: open_ones[name].ledger["compared"]["worst"])
        return self._told(nearest, open_ones[nearest], tried)

    def _by_size(self, targets: Sequence[str], tried: dict[str, str]) -> list[tuple[str, bytes]]:
        """Make every file that can be made, the smallest first; say in `tried` why others not."""
        made = []
        for target in targets:
            try:
                made.append((target, self.convert(target)))
            except (ExportError, ParameterError) as error:
                tried[target] = str(error)
        return sorted(made, key=lambda each: len(each[1]))

    @staticmethod
    def _told(target: str, made: Shipment, tried: Mapping[str, str]) -> Shipment:
        others = {name: why for name, why in tried.items() if name != target}
        return Shipment(made.artefact, made.ledger | {"tried": others})

    @cached_property
    def _labelled(self) -> Any | None:
        classes = (self.network.description or {}).get("classes")
        return classes and self.images.labelled(list(classes))

    def _accuracy(self, found: np.ndarray) -> dict[str, Any] | None:
        from slimderm.components.export.accuracy import Demanded, judge_accuracy

        if self._labelled is None:
            return None
        gates = self.settings.gates
        margins = {name: getattr(gates, f"{name}_margin") for name in MARGINS}
        demanded = Demanded(margins, gates.confidence, gates.bootstrap_samples, gates.seed)
        return asdict(judge_accuracy(found, self.wanted, self._labelled, demanded))

    def _calibration_told(self) -> dict[str, Any]:
        inputs = self.calibration.for_file(self.encoder)
        content = hashlib.sha256()
        for name in sorted(inputs):
            content.update(np.ascontiguousarray(inputs[name]).tobytes())
        return {
            "images": self.calibration.words,
            "num_images": len(inputs["image"]),
            "seed": SEED,
            "sha256": content.hexdigest(),
        }


def _larger(targets: Sequence[str], tried: Mapping[str, str], chosen: str) -> dict[str, str]:
    return {name: "larger, not judged" for name in targets if name not in tried and name != chosen}
