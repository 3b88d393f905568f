"""Whether a pruned network is good enough: the rules by name.

``noninferior`` compares it with the unpruned network image by image, in a file of its own. The
others demand thresholds (paper, sections 3 and 4.1). ``paper`` also judges on the test part, as the
paper does, although test should only report. ``validation`` is the same without test. ``relative``
lowers a threshold that the baseline itself
misses, and says so, but never below a floor, so that no baseline that learnt nothing sets the rule.
"""

from collections.abc import Callable
from dataclasses import dataclass

from slimderm.components.common.checks import look_up
from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.noninferior import noninferior
from slimderm.components.pruning.verdict import Case, Metrics, Thresholds, Verdict

TRAINING_KEYS = ("train_accuracy", "train_precision")
VALIDATION_KEYS = ("validation_accuracy", "validation_precision")
TEST_KEYS = ("test_accuracy", "test_precision", "test_recall")


@dataclass(frozen=True)
class _Demand:
    key: str
    received: float
    expected: float
    why: str = ""
    lowered: bool = False

    @property
    def met(self) -> bool:
        # The spare makes 0.70 meet 0.72 - 0.02 in floating point; NaN meets nothing.
        return self.received >= self.expected - 1e-9

    def __str__(self) -> str:
        relation = ">=" if self.met else "<"
        return f"{self.key} {self.received:.4f} {relation} {self.expected:.4f}{self.why}"


def paper(case: Case) -> Verdict:
    """Accept as the paper does: thresholds on training and validation, tolerance on test.

    Reads `TRAINING_KEYS`, `VALIDATION_KEYS` and `TEST_KEYS`, and of the baseline the last.

    Raises
    ------
    ParameterError
        When a metric is missing.
    """
    tolerance = case.thresholds.test_tolerance
    test = [
        _Demand(
            key,
            _value(case.metrics, key),
            _value(case.baseline, key) - tolerance,
            f" (baseline {_value(case.baseline, key):.4f} less {tolerance:g})",
        )
        for key in TEST_KEYS
    ]
    return _judge([*_absolute(case), *test])


def validation(case: Case) -> Verdict:
    """Accept by the thresholds on training and validation alone; the baseline is not consulted.

    Raises
    ------
    ParameterError
        When a metric is missing.
    """
    return _judge(_absolute(case))


def relative(case: Case) -> Verdict:
    """Accept by the thresholds, each lowered to the baseline less a tolerance where it misses them.

    None is lowered below the floor. The reason names every one that was lowered, met or not.

    Raises
    ------
    ParameterError
        When a metric is missing.
    """
    return _judge([_eased(demand, case.baseline, case.thresholds) for demand in _absolute(case)])


@dataclass(frozen=True)
class AcceptanceEntry:
    """One rule.

    Attributes
    ----------
    judge : callable
        Takes a `Case` and returns a `Verdict`.
    needs_test : bool
        Whether it reads metrics of the test part.
    reads : tuple of str
        Settings that it reads, of those that not every rule reads.
    """

    judge: Callable[[Case], Verdict]
    needs_test: bool = False
    reads: tuple[str, ...] = ()


THRESHOLDS = ("training_threshold", "validation_threshold", "validation_threshold_lenet5")

# Margins and confidence are read beside every rule: the power at the start is theirs.
ACCEPTANCE: dict[str, AcceptanceEntry] = {
    "noninferior": AcceptanceEntry(noninferior, reads=("max_seeds",)),
    "paper": AcceptanceEntry(paper, needs_test=True, reads=(*THRESHOLDS, "test_tolerance")),
    "validation": AcceptanceEntry(validation, reads=THRESHOLDS),
    "relative": AcceptanceEntry(
        relative, reads=(*THRESHOLDS, "relative_tolerance", "relative_floor")
    ),
}


def get(name: str) -> AcceptanceEntry:
    """Look up a rule by its name.

    Raises
    ------
    ParameterError
        When there is none of that name; the message lists those there are.
    """
    return look_up("acceptance", name, ACCEPTANCE)


def _value(metrics: Metrics, key: str) -> float:
    if key not in metrics:
        raise ParameterError(
            f"acceptance: received metrics {sorted(metrics)}, expected {key} among them"
        )
    return metrics[key]


def _absolute(case: Case) -> list[_Demand]:
    metrics, thresholds = case.metrics, case.thresholds
    training = [_Demand(key, _value(metrics, key), thresholds.training) for key in TRAINING_KEYS]
    return training + [
        _Demand(key, _value(metrics, key), thresholds.validation) for key in VALIDATION_KEYS
    ]


def _eased(demand: _Demand, baseline: Metrics, thresholds: Thresholds) -> _Demand:
    own = _value(baseline, demand.key)
    if own >= demand.expected:
        return demand
    eased = min(
        demand.expected, max(own - thresholds.relative_tolerance, thresholds.relative_floor)
    )
    floor = (
        f", but not below {thresholds.relative_floor:g}"
        if eased == thresholds.relative_floor
        else ""
    )
    why = (
        f" (threshold {demand.expected:.4f} lowered: the baseline has {own:.4f}, "
        f"less {thresholds.relative_tolerance:g}{floor})"
    )
    return _Demand(demand.key, demand.received, eased, why=why, lowered=True)


def _judge(demands: list[_Demand]) -> Verdict:
    missed = [str(demand) for demand in demands if not demand.met]
    lowered = [str(demand) for demand in demands if demand.met and demand.lowered]
    sentences = []
    if missed:
        sentences.append("missed: " + "; ".join(missed))
    else:
        sentences.append("every threshold met: " + ", ".join(demand.key for demand in demands))
    if lowered:
        sentences.append("met a lowered threshold: " + "; ".join(lowered))
    return Verdict(not missed, ". ".join(sentences))
