"""Whether a shipped file is as good as the network that it was made of, on labelled images."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan

import numpy as np
import numpy.typing as npt

from slimderm.components.evaluation.noninferiority import PairedComparison, Word, worst

Probabilities = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Labelled:
    """What images show: class indices and lesions, (N,) each, and the index of melanoma."""

    labels: npt.NDArray[np.int64]
    lesions: npt.NDArray[np.str_]
    melanoma: int | None


@dataclass(frozen=True)
class Demanded:
    """How much worse a file may be, by metric, and of the intervals confidence and resampling."""

    margins: Mapping[str, float]
    confidence: float
    num_samples: int
    seed: int


@dataclass(frozen=True)
class Compared:
    """A metric of file and network, the interval of the difference, and the verdict on it.

    ``low`` and ``high`` are None where no sample defines the metric.
    """

    file: float
    keras: float
    low: float | None
    high: float | None
    margin: float
    verdict: str


@dataclass(frozen=True)
class Accuracy:
    """What `judge_accuracy` found: by metric, and the verdict on all."""

    metrics: Mapping[str, Compared]
    verdict: str
    confidence: float
    num_images: int
    num_lesions: int


def judge_accuracy(
    found: Probabilities, expected: Probabilities, labelled: Labelled, demanded: Demanded
) -> Accuracy:
    """Compare a file with its network, image by image, resampling whole lesions.

    Parameters
    ----------
    found, expected : float arrays of shape (N, C)
        Probabilities of the file and of the network.
    labelled : Labelled
    demanded : Demanded
        Its metrics are compared, where these images have them.

    Raises
    ------
    SchemaError
        If the arrays do not fit together.
    """
    comparison = PairedComparison(
        labelled.labels,
        labelled.lesions,
        num_classes=expected.shape[1],
        melanoma=labelled.melanoma,
        confidence=demanded.confidence,
        num_samples=demanded.num_samples,
        seed=demanded.seed,
    )
    pairs = comparison.differences(
        np.asarray(found, np.float64)[np.newaxis],
        np.asarray(expected, np.float64)[np.newaxis],
        tuple(demanded.margins),
    )
    words = {name: pair.word(demanded.margins[name]) for name, pair in pairs.items()}
    metrics = {
        name: Compared(
            pair.challenger,
            pair.reference,
            None if isnan(pair.low) else pair.low,
            None if isnan(pair.high) else pair.high,
            demanded.margins[name],
            str(words[name]),
        )
        for name, pair in pairs.items()
        if not isnan(pair.challenger)
    }
    verdict = worst([Word(each.verdict) for each in metrics.values()])
    lesions = len(set(labelled.lesions))
    return Accuracy(metrics, str(verdict), demanded.confidence, len(found), lesions)
