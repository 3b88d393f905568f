"""What a model must show before it may become the champion: statistics and limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

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

    @property
    def margins(self) -> dict[str, float]:
        """Margin of each metric."""
        return {
            "balanced_accuracy": self.balanced_accuracy_margin,
            "melanoma_sensitivity": self.melanoma_sensitivity_margin,
        }


@dataclass(frozen=True)
class Check:
    """One gate: what was found, what was asked, whether it is open.

    Of a metric ``challenger`` and ``reference`` are the two values, ``low`` and ``high`` the
    interval of their difference, and ``limit`` is what ``low`` must exceed. Of a limit, ``limit``
    is what ``challenger`` must not exceed.
    """

    name: str
    passed: bool
    challenger: float
    limit: float
    reference: float | None = None
    low: float | None = None
    high: float | None = None


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
        The challenger's ``bytes`` and ``latency_ms``.
    settings : GateSettings
        Margins and limits.
    melanoma : int or None
        Index of the melanoma class; without it that gate is left out.

    Returns
    -------
    list of Check

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
    found = {
        name: comparison.metrics(np.asarray(values)[np.newaxis])
        for name, values in probabilities.items()
    }
    checks = []
    for name, margin in settings.margins.items():
        if name not in found["challenger"]:
            continue
        own, other = found["challenger"][name], found["reference"][name]
        _, low, high = comparison.interval(own - other)
        checks.append(
            Check(
                name,
                passed=bool(low > -margin),
                challenger=float(own[0]),
                reference=float(other[0]),
                low=low,
                high=high,
                limit=-margin,
            )
        )
    limits = {"bytes": settings.max_bytes, "latency_ms": settings.max_latency_ms}
    return checks + [
        Check(name, passed=costs[name] <= limit, challenger=costs[name], limit=limit)
        for name, limit in limits.items()
    ]


def sentence(checks: Sequence[Check]) -> str:
    """Say which gates are shut and why; ``all gates are open`` where none is."""
    shut = [_reason(check) for check in checks if not check.passed]
    return "; ".join(shut) or "all gates are open"


def _reason(check: Check) -> str:
    if check.low is None:
        return f"{check.name} is {number(check.challenger)}, above {number(check.limit)}"
    return f"{check.name} may be worse by {-check.low:.3f}, more than the margin {-check.limit:.3f}"


def number(value: float) -> str:
    """Write a number for people: whole from a hundred on, else to three places."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}".rstrip("0").rstrip(".")
