"""What a review found of a version, and how MLflow keeps it: tags, description, artifacts."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from slimderm.components.evaluation.bootstrap import bootstrap_intervals
from slimderm.components.evaluation.calibration import (
    expected_calibration_error,
    reliability,
    tempered,
)
from slimderm.components.evaluation.gates import (
    INCONCLUSIVE,
    Check,
    GateSettings,
    sentence,
    word_of,
)
from slimderm.components.evaluation.metrics import classification_metrics
from slimderm.components.reporting.model_card import model_card, reliability_plot
from slimderm.components.reporting.version_facts import accuracy_fact, gate_facts
from slimderm.flows.record.metric_names import plain
from slimderm.flows.record.promotions import GATES_TAG
from slimderm.flows.record.registry import Registry


@dataclass(frozen=True)
class Evidence:
    """What a review found.

    Attributes
    ----------
    checks : list of Check
        The gates.
    against : str
        What the version was judged against.
    power : str
        What the test part can resolve, in words.
    labels, lesions, probabilities : numpy.ndarray
        (N,), (N,), (N, C): of the test images, and what the version answers, not calibrated.
    temperature : float
        Fitted on validation.
    num_copies : int
        Augmented copies that were left out.
    """

    checks: list[Check]
    against: str
    power: str
    labels: np.ndarray
    lesions: np.ndarray
    probabilities: np.ndarray
    temperature: float
    num_copies: int

    def calibration(self) -> dict[str, float]:
        """Measure calibration before and after the temperature."""
        calibrated = tempered(self.probabilities, self.temperature)
        return {
            "temperature": self.temperature,
            "ece": expected_calibration_error(self.labels, self.probabilities),
            "ece_calibrated": expected_calibration_error(self.labels, calibrated),
            "num_images": len(self.labels),
            "num_copies": self.num_copies,
        }

    def reliability(self) -> dict[str, pd.DataFrame]:
        """Return the tables of a reliability plot."""
        calibrated = tempered(self.probabilities, self.temperature)
        return {
            "as trained": reliability(self.labels, self.probabilities),
            "tempered": reliability(self.labels, calibrated),
        }

    def accuracy(self, settings: GateSettings) -> str:
        """Say the version's balanced accuracy with its interval, lesions resampled whole."""
        intervals = bootstrap_intervals(
            self.labels,
            self.probabilities,
            self.lesions,
            num_samples=settings.bootstrap_samples,
            confidence=settings.confidence,
            seed=settings.seed,
        )
        name = "balanced_accuracy"
        value = classification_metrics(self.labels, self.probabilities)[name]
        return accuracy_fact(value, intervals[name], f"{len(self.labels)} test images")

    def tags(self, settings: GateSettings) -> dict[str, str]:
        """Return the tags of the version; that of the gates' word comes last."""
        word = word_of(self.checks)
        reason = sentence(self.checks) + (f"; {self.power}" if word == INCONCLUSIVE else "")
        return {
            "balanced_accuracy": self.accuracy(settings),
            **gate_facts(self.checks),
            "gates.reason": reason,
            "gates.power": self.power,
            "gates.against": self.against,
            "gates.at": datetime.now(UTC).isoformat(timespec="seconds"),
            GATES_TAG: word,
        }


def keep_evidence(registry: Registry, version: Any, evidence: Evidence) -> None:
    """Keep the evidence: artifacts of the version's run, its description and its tags."""
    client, run = registry.client, registry.client.get_run(version.run_id)
    run_id, calibration = run.info.run_id, evidence.calibration()
    figure = reliability_plot(evidence.reliability())
    client.log_figure(run_id, figure, "review/reliability.png")
    table = pd.DataFrame([asdict(check) | {"word": check.word} for check in evidence.checks])
    client.log_text(run_id, table.to_csv(index=False), "review/gates.csv")
    client.log_dict(run_id, calibration, "review/calibration.json")
    tags = evidence.tags(registry.settings.gates)
    facts = {**registry.version(version.version).tags, **tags}
    card = _card(version, facts, run.data, evidence, calibration)
    client.log_text(run_id, card, "review/card.md")
    registry.describe(version, card)
    registry.calibrate(version, evidence.temperature)
    registry.tag(version, tags)


def _card(
    version: Any,
    facts: Mapping[str, str],
    run: Any,
    evidence: Evidence,
    calibration: Mapping[str, float],
) -> str:
    return model_card(
        version,
        facts=facts,
        made_of=run.tags,
        metrics=plain(run.metrics),
        against=evidence.against,
        checks=evidence.checks,
        calibration=calibration,
        power=evidence.power,
    )
