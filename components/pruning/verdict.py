"""What an acceptance rule judges, and what it says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from slimderm.components.evaluation.metrics import Probabilities
from slimderm.components.evaluation.noninferiority import MARGINS, Word

Metrics = Mapping[str, float]


@dataclass(frozen=True)
class Verdict:
    """Accepted or not, with a sentence for a person.

    Attributes
    ----------
    word : str
        ``accepted`` or ``refused`` where not given; the rule noninferior says ``non-inferior``,
        ``inferior`` or ``inconclusive``, and ``reference`` of the unpruned network.
    """

    accepted: bool
    reason: str
    word: str = ""

    def __post_init__(self) -> None:
        if not self.word:
            object.__setattr__(self, "word", "accepted" if self.accepted else "refused")

    @property
    def failed(self) -> bool:
        """Whether it counts among a schedule's failures: what nobody could tell does not."""
        return not self.accepted and self.word != Word.INCONCLUSIVE


@dataclass(frozen=True)
class Thresholds:
    """What is demanded, as shares: two thresholds, two tolerances below the baseline, a floor."""

    training: float = 0.90
    validation: float = 0.80
    test_tolerance: float = 0.02
    relative_tolerance: float = 0.02
    relative_floor: float = 0.5


@dataclass(frozen=True)
class Demands:
    """What the rule noninferior demands.

    Attributes
    ----------
    margins : mapping
        Metric to how much worse a network may be, a share.
    confidence : float
        Of the family: all verdicts of one schedule together accept an inferior network with a
        probability of at most ``(1 - confidence) / 2``.
    max_seeds : int
        Trainings of each network at most.
    num_branches : int
        Branches over which the error is divided; along one, the order is fixed.
    num_samples : int
        Bootstrap samples, at least.
    seed : int
        Fixes the bootstrap's draws.
    """

    margins: Mapping[str, float] = field(default_factory=lambda: dict(MARGINS))
    confidence: float = 0.95
    max_seeds: int = 3
    num_branches: int = 1
    num_samples: int = 1000
    seed: int = 0

    @property
    def error(self) -> float:
        """One-sided error of one look at one network: each seed that is added is a look."""
        return (1 - self.confidence) / 2 / (self.num_branches * self.max_seeds)


@dataclass(frozen=True)
class Validation:
    """The validation part, and what networks predict on it.

    Attributes
    ----------
    labels, lesions : numpy.ndarray
        (N,).
    num_classes : int
        Columns of the probabilities.
    predict : callable
        Takes a number of a training seed, from 0, and returns the network's and the unpruned
        network's probabilities by that seed, (N, C) each. It may train both.
    melanoma : int, optional
        Index of the melanoma class.
    """

    labels: npt.NDArray[np.int64]
    lesions: npt.NDArray[np.str_]
    num_classes: int
    predict: Callable[[int], tuple[Probabilities, Probabilities]]
    melanoma: int | None = None


@dataclass(frozen=True)
class Case:
    """One network of a schedule, and what it is judged against.

    Attributes
    ----------
    metrics : mapping
        Of the network: shares such as ``validation_accuracy``.
    baseline : mapping
        The same of the unpruned network that was trained on original images.
    thresholds : Thresholds
        What rules with thresholds demand.
    demands : Demands
        What the rule noninferior demands.
    validation : Validation, optional
        What the rule noninferior compares.
    parent : Verdict, optional
        On the network that it was pruned from; None for the unpruned one.
    """

    metrics: Metrics
    baseline: Metrics = field(default_factory=dict)
    thresholds: Thresholds = Thresholds()
    demands: Demands = Demands()
    validation: Validation | None = None
    parent: Verdict | None = None
