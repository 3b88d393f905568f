"""A finished training: its folder in the cache, and what was measured."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from slimderm.flows.base.files import read_json
from slimderm.flows.base.keras_loader import load_keras
from slimderm.flows.work.judging import VALIDATION


@dataclass(frozen=True)
class TrainingRun:
    """A finished training in the cache."""

    key: str
    folder: Path
    test: dict[str, Any] | None = None

    @cached_property
    def record(self) -> dict[str, Any]:
        """Sizes, counts, times and the metrics of the training and validation parts."""
        return dict(read_json(self.folder / "record.json"))

    @property
    def judgement(self) -> dict[str, Any]:
        """What `Trainer.tested` added."""
        if self.test is None:
            raise ValueError(f"{self.key}: not judged on the test part yet, call Trainer.tested")
        return self.test

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics alone, as acceptance reads them: ``validation_accuracy`` and the like."""
        return {**self.record["metrics"], **(self.test or {"metrics": {}})["metrics"]}

    @cached_property
    def validation(self) -> dict[str, np.ndarray]:
        """Probabilities (N, C), labels (N,) and lesions (N,) of the validation part."""
        with np.load(self.folder / VALIDATION) as kept:
            return {name: kept[name] for name in kept.files}

    @property
    def full_record(self) -> dict[str, Any]:
        """The record with its key, and with the judgement on test where there is one."""
        found = {**self.record, **(self.test or {}), "key": self.key}
        return found | {"metrics": self.metrics}

    def load(self) -> Any:
        """Load the trained model, not compiled."""
        return load_keras().models.load_model(self.folder / "model.keras", compile=False)
