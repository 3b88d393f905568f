"""The gates: what a model must show before it may become the champion.

A gate is added by one line of `GATES` and, where it has a threshold of its own, a field of
`GateSettings`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import Field

from slimderm.components.common.errors import SchemaError
from slimderm.components.common.settings import Confidence, Count, Positive, Seed, settings
from slimderm.components.evaluation.noninferiority import (
    MARGINS,
    Difference,
    PairedComparison,
    Word,
)
from slimderm.components.evaluation.power import in_words, part_size, powers

PASSED, FAILED, INCONCLUSIVE = "passed", "failed", str(Word.INCONCLUSIVE)

AllowedLoss = Annotated[float, Field(ge=0, lt=1)]


@settings
class GateSettings:
    """What a challenger must show before it may become the champion.

    A metric passes when the interval of its difference lies above minus its margin: the challenger
    is not worse by more than that. It fails when the interval lies below; else it is inconclusive.
    """

    balanced_accuracy_margin: AllowedLoss = Field(
        default=MARGINS["balanced_accuracy"],
        description="How much worse the challenger's balanced accuracy may be.",
    )
    melanoma_sensitivity_margin: AllowedLoss = Field(
        default=MARGINS["melanoma_sensitivity"],
        description="How much worse the challenger's sensitivity for melanoma may be.",
    )
    confidence: Confidence = Field(default=0.95, description="Of the interval of a difference.")
    bootstrap_samples: Annotated[int, Field(ge=100)] = Field(
        default=2000, description="Resamplings of lesions behind an interval."
    )
    seed: Seed = Field(default=0, description="Of the resampling.")
    max_bytes: Count = Field(
        default=10_000_000, description="Of the file that is shipped; the paper: under 10 MB."
    )
    max_latency_ms: Positive = Field(
        default=100.0,
        description="Median milliseconds for one image, by the file that is shipped, on one "
        "thread of the machine that reviews.",
    )


@dataclass(frozen=True)
class Check:
    """What a gate found.

    Of a `Margin`, ``challenger`` and ``reference`` are the two values, ``low`` and ``high`` the
    interval of their difference, and ``low`` must exceed ``limit``; where only ``high`` does, it is
    neither passed nor failed but ``inconclusive``. Of a `Limit`, ``challenger`` must not exceed
    ``limit``.
    """

    name: str
    passed: bool
    challenger: float
    limit: float
    reference: float | None = None
    low: float | None = None
    high: float | None = None
    inconclusive: bool = False

    @property
    def word(self) -> str:
        """``passed``, ``failed`` or ``inconclusive``."""
        if self.inconclusive:
            return INCONCLUSIVE
        return PASSED if self.passed else FAILED


@dataclass(frozen=True)
class GateEvidence:
    """What gates judge by.

    ``differences`` holds what `PairedComparison.differences` returns; ``costs`` the challenger's
    sizes and times.
    """

    differences: Mapping[str, Difference]
    costs: Mapping[str, float]


class Gate(Protocol):
    """What every entry of `GATES` does."""

    def check(self, name: str, evidence: GateEvidence, settings: GateSettings) -> Check | None:
        """Judge the challenger by the gate of that name; None where these data cannot tell."""
        ...


@dataclass(frozen=True)
class Margin:
    """A metric that must not be worse than the reference's by more than a margin.

    ``setting`` is the field of `GateSettings` that holds the margin.
    """

    setting: str

    def check(self, name: str, evidence: GateEvidence, settings: GateSettings) -> Check | None:
        """Judge the metric of that name; None where these data do not have it."""
        found = evidence.differences.get(name)
        if found is None:
            return None
        margin = getattr(settings, self.setting)
        word = found.word(margin)
        return Check(
            name,
            passed=word == Word.NON_INFERIOR,
            challenger=found.challenger,
            limit=-margin,
            reference=found.reference,
            low=found.low,
            high=found.high,
            inconclusive=word == Word.INCONCLUSIVE,
        )


@dataclass(frozen=True)
class Limit:
    """A cost that must not exceed a limit; ``setting`` is the field that holds the limit."""

    setting: str

    def check(self, name: str, evidence: GateEvidence, settings: GateSettings) -> Check:
        """Judge the cost of that name."""
        cost, limit = evidence.costs[name], getattr(settings, self.setting)
        return Check(name, passed=cost <= limit, challenger=cost, limit=limit)


GATES: dict[str, Gate] = {
    "balanced_accuracy": Margin("balanced_accuracy_margin"),
    "melanoma_sensitivity": Margin("melanoma_sensitivity_margin"),
    "bytes": Limit("max_bytes"),
    "latency_ms": Limit("max_latency_ms"),
}


def judge(
    probabilities: Mapping[str, npt.NDArray[np.floating]],
    labels: npt.NDArray[np.int64],
    lesions: npt.NDArray[np.str_],
    costs: Mapping[str, float],
    settings: GateSettings,
    *,
    melanoma: int | None,
) -> list[Check]:
    """Judge a challenger against a reference on the same lesions.

    Parameters
    ----------
    probabilities : mapping
        ``challenger`` and ``reference``, each (N, C).
    labels : int array of shape (N,)
        Class indices.
    lesions : str array of shape (N,)
        Lesions are resampled whole.
    costs : mapping
        The challenger's, by name: ``bytes``, ``latency_ms``.
    settings : GateSettings
        Margins and limits.
    melanoma : int or None
        Index of the melanoma class; without it that gate is left out.

    Returns
    -------
    list of Check
        In the order of `GATES`.

    Raises
    ------
    SchemaError
        When the arrays do not fit together.
    """
    shapes = {name: values.shape for name, values in probabilities.items()}
    if len(set(shapes.values())) != 1 or shapes["challenger"][0] != len(labels):
        raise SchemaError(
            f"probabilities: received {shapes} for {len(labels)} labels, expected one row a label "
            "and as many columns in both"
        )
    comparison = PairedComparison(
        labels,
        lesions,
        num_classes=shapes["challenger"][1],
        melanoma=melanoma,
        num_samples=settings.bootstrap_samples,
        confidence=settings.confidence,
        seed=settings.seed,
    )
    own, other = (np.asarray(probabilities[who])[np.newaxis] for who in ("challenger", "reference"))
    evidence = GateEvidence(comparison.differences(own, other), costs)
    checks = [gate.check(name, evidence, settings) for name, gate in GATES.items()]
    return [check for check in checks if check is not None]


def sentence(checks: Sequence[Check]) -> str:
    """Say which gates did not pass and why; ``all gates passed`` where all did."""
    open_or_failed = [_reason(check) for check in checks if check.word != PASSED]
    return "; ".join(open_or_failed) or "all gates passed"


def word_of(checks: Sequence[Check]) -> str:
    """Return the word for all: ``failed`` goes before ``inconclusive``, that before ``passed``."""
    words = {check.word for check in checks}
    return next((word for word in (FAILED, INCONCLUSIVE) if word in words), PASSED)


def power(
    labels: npt.NDArray[np.int64],
    lesions: npt.NDArray[np.str_],
    settings: GateSettings,
    *,
    melanoma: int | None,
) -> str:
    """Say what a part of this size can resolve at these margins, whatever the models."""
    size = part_size(labels, lesions, melanoma)
    margins = {name: getattr(settings, f"{name}_margin") for name in MARGINS}
    found = powers(size, margins, error=(1 - settings.confidence) / 2)
    return f"{size} can resolve {in_words(found, margins)}"


def _reason(check: Check) -> str:
    if check.low is None:
        return f"{check.name} is {number(check.challenger)}, above {number(check.limit)}"
    where = f"{check.low:+.3f} to {check.high:+.3f}, margin {-check.limit:.3f}"
    if check.inconclusive:
        return f"{check.name} is inconclusive, too few images can tell: difference {where}"
    return f"{check.name} is inferior: difference {where}"


def number(value: float) -> str:
    """Write a number for people: whole from a hundred on, else to three places."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}".rstrip("0").rstrip(".")
