"""What a registered version showed on a folder that it has not seen: figures and groups."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from slimderm.components.evaluation.calibration import (
    expected_calibration_error,
    reliability,
    tempered,
)
from slimderm.components.evaluation.metrics import confusion_matrix
from slimderm.components.evaluation.subgroups import measured, subgroup_table
from slimderm.flows.config.params import Params
from slimderm.flows.work.shipped_version import HASH_TAG


@dataclass(frozen=True)
class Evaluation:
    """A version's answers on the images of a folder that it has not seen.

    Attributes
    ----------
    version : ModelVersion
    folder : path
    classes : tuple of str
        The version's, which the columns of ``probabilities`` stand for.
    images : DataFrame
        Rows of the catalog that were judged.
    left_out : DataFrame
        As `slimderm.components.evaluation.unseen.unseen` gives it.
    quarantine : DataFrame
        Rows and files of the folder that could not be used.
    calibrated : float array of shape (N, C)
        Probabilities with the temperature applied, where there is one.
    groups : mapping
        What people are grouped by, to the group of each image.
    unknown_words : mapping
        Column to how many images hold a word that the version does not know.
    temperature : float or None
    answered : str
        What answered, as `Classifier.file`.
    params : Params
        The section evaluate says how intervals are drawn.
    """

    version: Any
    folder: Path
    classes: tuple[str, ...]
    images: pd.DataFrame
    left_out: pd.DataFrame
    quarantine: pd.DataFrame
    calibrated: np.ndarray
    groups: Mapping[str, np.ndarray]
    unknown_words: Mapping[str, int]
    temperature: float | None
    answered: str
    params: Params

    @cached_property
    def labels(self) -> np.ndarray:
        """(N,) class indices, as the folder has them."""
        return np.array([self.classes.index(name) for name in self.images["label"]])

    @cached_property
    def lesions(self) -> np.ndarray:
        """(N,) the lesion of each image."""
        return np.asarray(self.images["lesion_id"], str)

    @cached_property
    def probabilities(self) -> np.ndarray:
        """(N, C) probabilities not calibrated: of shares that calibration leaves above 1e-30."""
        given: np.ndarray = tempered(self.calibrated, 1 / (self.temperature or 1.0))
        return given

    @property
    def _resampled(self) -> dict[str, Any]:
        settings = self.params.evaluate
        melanoma = self.classes.index("melanoma") if "melanoma" in self.classes else None
        return {
            "melanoma": melanoma,
            "num_samples": settings.bootstrap_samples,
            "confidence": settings.confidence,
            "seed": settings.seed,
        }

    @cached_property
    def metrics(self) -> dict[str, tuple[float, float, float]]:
        """Every metric: value, low, high."""
        return measured(self.labels, self.calibrated, self.lesions, **self._resampled)

    @cached_property
    def subgroups(self) -> pd.DataFrame:
        """As `slimderm.components.evaluation.subgroups.subgroup_table` gives it."""
        return subgroup_table(
            self.labels, self.calibrated, self.lesions, self.groups, **self._resampled
        )

    @cached_property
    def confusion(self) -> np.ndarray:
        """(C, C) images by label (row) and prediction (column)."""
        return confusion_matrix(self.labels, self.probabilities)

    @cached_property
    def calibration(self) -> dict[str, float]:
        """Expected calibration error as the network answers, and with the temperature."""
        found = {"ece": expected_calibration_error(self.labels, self.probabilities)}
        if self.temperature is not None:
            found["ece_calibrated"] = expected_calibration_error(self.labels, self.calibrated)
        return found

    @cached_property
    def bins(self) -> dict[str, pd.DataFrame]:
        """Accuracy against confidence, as the network answers, and with the temperature."""
        found = {"as trained": reliability(self.labels, self.probabilities)}
        if self.temperature is not None:
            found["tempered"] = reliability(self.labels, self.calibrated)
        return found

    @cached_property
    def counts(self) -> pd.DataFrame:
        """What was judged and what was left out: ``reason``, ``num_images``, ``num_lesions``."""
        rows = pd.concat([self.images.assign(reason="judged"), self.left_out])
        found = rows.groupby("reason", sort=False)["lesion_id"].agg(["size", "nunique"])
        found.columns = pd.Index(["num_images", "num_lesions"])
        return found.reset_index()

    @cached_property
    def content(self) -> dict[str, Any]:
        """What the figures depend on, for the key of their record."""
        return {
            "model": self.version.source,
            "temperature": self.temperature,
            "answered": (self.answered, self.version.tags.get(HASH_TAG)),
            "images": sorted(zip(self.images["sha256"], self.images["label"], strict=True)),
            "groups": {name: list(map(str, values)) for name, values in self.groups.items()},
            "left_out": self.counts.to_dict("records"),
            "evaluate": asdict(self.params.evaluate),
        }
