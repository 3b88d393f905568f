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
from slimderm.components.evaluation.comparison import Comparison

AllowedLoss = Annotated[float, Field(ge=0, lt=1)]


@settings
class GateSettings:
    """What a challenger must show before it may become the champion.

    A metric passes when the lower end of the interval of its difference lies above minus its
    margin: the challenger is not worse by more than that.
    """

    balanced_accuracy_margin: AllowedLoss = Field(
        default=0.05, description="How much worse the challenger's balanced accuracy may be."
    )
    melanoma_sensitivity_margin: AllowedLoss = Field(
        default=0.05, description="How much worse the challenger's sensitivity for melanoma may be."
    )
    confidence: Confidence = Field(default=0.95, description="Of the interval of a difference.")
    bootstrap_samples: Annotated[int, Field(ge=100)] = Field(
        default=2000, description="Resamplings of lesions behind an interval."
    )
    seed: Seed = Field(default=0, description="Of the resampling.")
    max_bytes: Count = Field(
        default=10_000_000, description="Of the model's file; the paper: under 10 MB."
    )
    max_latency_ms: Positive = Field(
        default=100.0,
        description="Median milliseconds for one image, on the machine that trained the network.",
    )


@dataclass(frozen=True)
class Check:
    """What a gate found.

    Of a `Margin`, ``challenger`` and ``reference`` are the two values, ``low`` and ``high`` the
    interval of their difference, and ``low`` must exceed ``limit``. Of a `Limit`, ``challenger``
    must not exceed ``limit``.
    """

    name: str
    passed: bool
    challenger: float
    limit: float
    reference: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class GateEvidence:
    """What gates judge by.

    ``metrics`` holds for ``challenger`` and ``reference`` what `Comparison.metrics` returns;
    ``costs`` the challenger's sizes and times.
    """

    comparison: Comparison
    metrics: Mapping[str, Mapping[str, npt.NDArray[np.float64]]]
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
        if name not in evidence.metrics["challenger"]:
            return None
        own, other = (evidence.metrics[who][name] for who in ("challenger", "reference"))
        _, low, high = evidence.comparison.interval(own - other)
        limit = -getattr(settings, self.setting)
        return Check(
            name,
            passed=bool(low > limit),
            challenger=float(own[0]),
            limit=limit,
            reference=float(other[0]),
            low=low,
            high=high,
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
    comparison = Comparison(
        labels,
        lesions,
        melanoma=melanoma,
        num_samples=settings.bootstrap_samples,
        confidence=settings.confidence,
        seed=settings.seed,
    )
    metrics = {
        name: comparison.metrics(np.asarray(values)[np.newaxis])
        for name, values in probabilities.items()
    }
    evidence = GateEvidence(comparison, metrics, costs)
    checks = [gate.check(name, evidence, settings) for name, gate in GATES.items()]
    return [check for check in checks if check is not None]


def sentence(checks: Sequence[Check]) -> str:
    """Say which gates failed and why; ``all gates passed`` where none did."""
    failed = [_reason(check) for check in checks if not check.passed]
    return "; ".join(failed) or "all gates passed"


def _reason(check: Check) -> str:
    if check.low is None:
        return f"{check.name} is {number(check.challenger)}, above {number(check.limit)}"
    return f"{check.name} may be worse by {-check.low:.3f}, more than the margin {-check.limit:.3f}"


def number(value: float) -> str:
    """Write a number for people: whole from a hundred on, else to three places."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}".rstrip("0").rstrip(".")
