"""Judging a registered version against a reference, on lesions that neither was trained on."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from slimderm.components.classification.inputs import model_inputs
from slimderm.components.common.cache import content_key
from slimderm.components.common.errors import IncomparableError
from slimderm.components.evaluation.calibration import fit_temperature
from slimderm.components.evaluation.gates import Check, judge, power
from slimderm.flows.base.files import read_json
from slimderm.flows.base.keras_loader import load_keras
from slimderm.flows.config import layout
from slimderm.flows.config.params import Params
from slimderm.flows.record import data_versions
from slimderm.flows.record.metric_names import plain
from slimderm.flows.record.mlflow_store import KEY
from slimderm.flows.record.registry import Registry
from slimderm.flows.work.edge_images import VALIDATION, read_images
from slimderm.flows.work.edge_network import Network
from slimderm.flows.work.review_evidence import Evidence, keep_evidence
from slimderm.flows.work.shipped_version import costs_of, keep, ship
from slimderm.flows.work.sources import LesionSource
from slimderm.flows.work.stored_images import StoredImages


def _baseline(network: str) -> Path:
    """Return where the unpruned network lies, also one that ``params.yaml`` lists no more."""
    place = layout.baseline(network)
    aside = layout.UNLISTED / place.relative_to(layout.MODELS)
    return (aside if aside.is_dir() and not place.is_dir() else place) / "original"


@dataclass(frozen=True)
class Candidate:
    """A model that can be judged: weights, what it needs beside them, lesions that it knows.

    ``known`` names, for each part of today's split, the lesions to leave out: of the test part
    those that the model was trained or validated on; of the validation part, on which it is
    calibrated, those that it was trained on.
    """

    name: str
    model: Any
    description: Mapping[str, Any]
    known: Mapping[str, frozenset[str]]


class Reviewer:
    """Judges versions on the validation and test lesions that lie in this workspace."""

    def __init__(self, params: Params, registry: Registry) -> None:
        self.params, self.registry, self.tracker = params, registry, registry.tracker
        self.settings = registry.settings.gates
        self.source = LesionSource(params, "original")

    def review(self, version: Any, reference: Any | None) -> list[Check]:
        """Judge a version against another, else its own unpruned network; keep the evidence.

        The unpruned network also stands in for a reference that cannot be judged here.

        Returns
        -------
        list of Check
            Also written to the version: tags, description, and artifacts of its run.

        Raises
        ------
        IncomparableError
            If the version knows other classes, it is not known what it was trained on, or no lesion
            is left to judge it on.
        """
        load_keras()
        run = self.tracker.client.get_run(version.run_id)
        challenger = self._version(version)
        other = self._reference(reference, challenger, run.data.tags["network"])
        rows = self._unseen("test", challenger, other)
        labels, lesions = self._labels(rows), rows["lesion_id"].to_numpy(dtype=str)
        found = {
            "challenger": self._probabilities(challenger, rows),
            "reference": self._probabilities(other, rows),
        }
        network = self._network(version, challenger)
        unseen = self._unseen("validation", challenger)
        validation = read_images(unseen, network, VALIDATION)
        assert validation is not None  # a version has a description, and there are rows
        predicted = self._predicted(challenger, validation.inputs)
        temperature = fit_temperature(self._labels(unseen), predicted)
        made, why = ship(self.registry, replace(network, temperature=temperature), validation)
        costs = costs_of(made, plain(run.data.metrics))
        melanoma = self.source.classes.index("melanoma") if self._has_melanoma else None
        checks = judge(found, labels, lesions, costs, self.settings, melanoma=melanoma)
        evidence = Evidence(
            checks=checks,
            against=other.name,
            power=power(labels, lesions, self.settings, melanoma=melanoma),
            labels=labels,
            lesions=lesions,
            probabilities=found["challenger"],
            temperature=temperature,
            num_copies=self._num_copies(rows),
        )
        keep(self.registry, version, made, why)
        keep_evidence(self.registry, version, evidence)
        return checks

    @staticmethod
    def _network(version: Any, candidate: Candidate) -> Network:
        return Network(
            candidate.model,
            f"{version.name} version {version.version}",
            description=candidate.description,
            trained_on=candidate.known["validation"],
        )

    def key(self, version: Any, reference: Any | None) -> str:
        """Hash what a review depends on.

        Raises
        ------
        IncomparableError
            If the pipeline did not register the version.
        """
        if not {KEY, "network"} <= version.tags.keys():
            raise IncomparableError(
                f"version {version.version} of {version.name!r} cannot be judged: received one "
                "without the tags of the pipeline's step register, expected one that it registered"
            )
        # Whether the split can be had is part of the key: one that comes back is judged anew.
        split = self._split(reference) if reference else None
        unpruned = _baseline(version.tags["network"]) / "record.json"
        return content_key(
            version=version.tags.get(KEY),
            reference=reference.tags.get(KEY) if reference else None,
            unpruned=read_json(unpruned)["key"] if unpruned.exists() else None,  # may stand in
            split=bool(split and data_versions.cached_file(split)),
            content=self.source.content,
            settings=asdict(self.settings),
            ship=asdict(self.registry.settings.ship),
        )

    @property
    def _has_melanoma(self) -> bool:
        return "melanoma" in self.source.classes

    def _split(self, version: Any) -> str | None:
        """Hash of the split that a version was trained on."""
        if not version.run_id:  # nobody said how it was made
            return None
        tags: dict[str, str] = self.tracker.client.get_run(version.run_id).data.tags
        return tags.get("dvc.splits.csv")

    def _version(self, version: Any) -> Candidate:
        name = f"version {version.version}"
        known = self._known(self._split(version), name)
        model, description = self.registry.load(version)
        if set(description["classes"]) != set(self.source.classes):
            raise IncomparableError(
                f"{name} cannot be judged on these data: it knows the classes "
                f"{', '.join(description['classes'])}, expected {', '.join(self.source.classes)}"
            )
        return Candidate(name, model, description, known)

    def _reference(self, reference: Any | None, challenger: Candidate, network: str) -> Candidate:
        """Return what a version is judged against; its name says why where a stand-in is."""
        if reference is None:
            return self._unpruned(network)
        try:
            other = self._version(reference)
            self._unseen("test", challenger, other)
            return other
        except IncomparableError as error:
            unpruned = self._unpruned(network)
            return replace(unpruned, name=f"{unpruned.name}, because {error}")

    def _unpruned(self, network: str) -> Candidate:
        file = _baseline(network) / "model.keras"
        if not file.exists():
            raise IncomparableError(
                f"the unpruned {network} to judge against is not here: expected {file}; `make "
                "pull` fetches it, or add the network to params.yaml and run the pipeline"
            )
        keras = load_keras()
        model = keras.models.load_model(file, compile=False)
        image_only = "metadata" not in {tensor.name for tensor in model.inputs}
        description = self.source.description | {"network": network, "image_only": image_only}
        run = self.tracker.find(read_json(file.with_name("record.json"))["key"])
        split = run.data.tags.get("dvc.splits.csv") if run else None
        name = f"the unpruned {network}"
        return Candidate(name, model, description, self._known(split, name))

    def _known(self, splits: str | None, name: str) -> dict[str, frozenset[str]]:
        """Read `Candidate.known` from a version of ``data/splits.csv``."""
        path = data_versions.cached_file(splits) if splits else None
        if path is None:
            raise IncomparableError(
                f"{name} cannot be judged: the split it was trained on ({splits}) is neither in "
                "this clone's cache nor in the remote, so it may have been trained on lesions of "
                "the test part; `make pull` fetches data versions"
            )
        frame = pd.read_csv(path, dtype=str)
        parts = {"test": ["train", "validation"], "validation": ["train"]}
        return {
            part: frozenset(frame.loc[frame["part"].isin(known), "lesion_id"])
            for part, known in parts.items()
        }

    def _unseen(self, part: str, *candidates: Candidate) -> pd.DataFrame:
        """Rows of a part whose lesions no candidate knows; augmented copies are no evidence."""
        known = frozenset().union(*(candidate.known[part] for candidate in candidates))
        rows = self.source.rows(part)
        rows = rows[~rows["lesion_id"].isin(known) & (rows["copy"] == 0)]
        if rows.empty:
            raise IncomparableError(
                f"{' and '.join(candidate.name for candidate in candidates)}: every lesion of the "
                f"{part} part was seen in training, expected new ones to judge on; add lesions to "
                "the dataset"
            )
        return rows

    def _num_copies(self, rows: pd.DataFrame) -> int:
        """Count the copies of some images of the test part, which are left out."""
        part = self.source.rows("test")
        return int((part["file"].isin(rows["file"]) & (part["copy"] > 0)).sum())

    def _labels(self, rows: pd.DataFrame) -> np.ndarray:
        return np.array([self.source.classes.index(name) for name in rows["label"]])

    def _probabilities(self, candidate: Candidate, rows: pd.DataFrame) -> np.ndarray:
        """Class probabilities of a candidate, (N, C), in this workspace's order of classes."""
        description = dict(candidate.description)
        images = StoredImages(description).prepared(rows["file"])
        return self._predicted(candidate, model_inputs(images, rows, description))

    def _predicted(self, candidate: Candidate, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        given = candidate.model.predict(dict(inputs), verbose=0)
        order = [candidate.description["classes"].index(name) for name in self.source.classes]
        return np.asarray(given, np.float64)[:, order]
