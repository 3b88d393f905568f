"""Non-inferiority of one network to another on the same lesions: three verdicts.

The interval of the paired difference stands beside minus a margin that was fixed beforehand. Above
it: non-inferior. Below it: inferior. Across it: inconclusive, the part is too small to tell.
Acceptance judges by it on validation, the gates once more on test.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import SchemaError
from slimderm.components.evaluation.comparison import Comparison
from slimderm.components.evaluation.metrics import (
    Floats,
    Probabilities,
    check,
    decision_metrics,
    weighted_metrics,
)

# How much worse a network may be: of acceptance (params.yaml) and of the gates (registry.yaml).
MARGINS = {"balanced_accuracy": 0.05, "melanoma_sensitivity": 0.10}
TAIL_SAMPLES = 20  # bootstrap samples that lie beyond each end of an interval, at least


class Word(StrEnum):
    """What a comparison found."""

    NON_INFERIOR = "non-inferior"
    INFERIOR = "inferior"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Difference:
    """Two values of a metric, and the interval of the first less the second."""

    challenger: float
    reference: float
    low: float
    high: float

    def word(self, margin: float) -> Word:
        """Tell where the interval lies beside minus the margin; an undefined one tells nothing."""
        if self.low > -margin:
            return Word.NON_INFERIOR
        return Word.INFERIOR if self.high < -margin else Word.INCONCLUSIVE

    def __str__(self) -> str:
        return (
            f"{self.challenger:.3f} against {self.reference:.3f}, difference "
            f"{self.challenger - self.reference:+.3f} ({self.low:+.3f} to {self.high:+.3f})"
        )


def worst(words: Sequence[Word]) -> Word:
    """Return the verdict on several metrics: each must be non-inferior, one inferior is enough."""
    order = (Word.INFERIOR, Word.INCONCLUSIVE, Word.NON_INFERIOR)
    return min(words, key=order.index)


class PairedComparison:
    """Bootstrap samples of a part's lesions for the difference of two networks.

    Each sample takes lesions whole, and the same ones for both networks. Where there are several
    training seeds, it draws seeds, too, as `Comparison` says.

    To each class two imagined lesions are added for the interval, one that the first network alone
    has right and one that the second alone has right (Bonett and Price 2012, doi
    10.3102/1076998611411915). Without them a class of few images in which both networks happen to
    agree would have an interval of no width, and prove what it cannot.

    Parameters
    ----------
    labels : numpy.ndarray
        (N,) class indices.
    lesions : numpy.ndarray
        (N,) the lesion of each image.
    num_classes : int
        Columns of the probabilities.
    melanoma : int, optional
        The class whose recall is the melanoma sensitivity.
    confidence : float
        Of the two-sided interval, in (0, 1).
    num_samples : int
        Bootstrap samples at least; more where the tails are thin.
    seed : int
        Fixes the draws.

    Raises
    ------
    ParameterError, SchemaError
        As `Comparison`.
    """

    def __init__(
        self,
        labels: npt.NDArray[np.int64],
        lesions: npt.NDArray[np.str_],
        *,
        num_classes: int,
        melanoma: int | None = None,
        confidence: float = 0.95,
        num_samples: int = 1000,
        seed: int = 0,
    ) -> None:
        self.num_images, self.num_classes = len(labels), num_classes
        self.present = np.unique(labels)
        imagined = np.array([f"imagined {index}" for index in range(2 * len(self.present))])
        num_samples = max(num_samples, round(2 * TAIL_SAMPLES / (1 - confidence)))
        self.comparison = Comparison(
            np.concatenate([labels, np.repeat(self.present, 2)]),
            np.concatenate([[f"lesion {name}" for name in lesions], imagined]),
            melanoma=melanoma,
            num_samples=num_samples,
            confidence=confidence,
            seed=seed,
        )
        self.comparison.weights[0, self.num_images :] = 0  # the part itself holds none

    def differences(
        self, challenger: Probabilities, reference: Probabilities, names: Sequence[str] = ()
    ) -> dict[str, Difference]:
        """Compare two networks, each of one or several training seeds.

        Parameters
        ----------
        challenger, reference : numpy.ndarray
            (S, N, C) probabilities, row by row of the same seed.
        names : sequence of str
            Metrics to compare; all where not given, which takes longer.

        Returns
        -------
        dict
            Metric to its `Difference`; values are means over the seeds.

        Raises
        ------
        SchemaError
            When the arrays do not fit together.
        """
        if challenger.shape != reference.shape or challenger.ndim != 3:
            raise SchemaError(
                f"probabilities: received {challenger.shape} and {reference.shape}, expected "
                "(seeds, images, classes), the same for both"
            )
        own, other = (
            self._by_seed(self._with_imagined(given, own=first), names)
            for given, first in ((challenger, True), (reference, False))
        )
        found = {}
        for name in names or own:
            if name in own:
                _, low, high = self.comparison.interval(
                    self.comparison.pooled(own[name] - other[name])
                )
                first, second = (float(each[name][:, 0].mean()) for each in (own, other))
                found[name] = Difference(first, second, low, high)
        return found

    def _with_imagined(self, probabilities: Probabilities, *, own: bool) -> Floats:
        """Add predictions on the imagined lesions: right on one of a class, wrong on the other."""
        right, wrong = self.present, (self.present + 1) % self.num_classes
        predicted = np.stack([right, wrong] if own else [wrong, right], axis=1).ravel()
        rows = np.eye(self.num_classes)[predicted]
        return np.stack([np.concatenate([one, rows]) for one in probabilities])

    def _by_seed(self, probabilities: Floats, names: Sequence[str]) -> dict[str, Floats]:
        """Each metric of each seed in the part itself and in each sample: (S, 1 + samples)."""
        compared = self.comparison
        measure = decision_metrics if names and "auroc" not in names else weighted_metrics
        check(compared.labels, probabilities[0], compared.melanoma)
        return compared.by_seed(probabilities, measure)
