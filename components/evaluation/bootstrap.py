"""Confidence intervals that know that images of one lesion belong together."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import ParameterError, SchemaError
from slimderm.components.evaluation.metrics import Floats, Probabilities, check, weighted_metrics

CHUNK = 128  # bootstrap samples at a time: bounds memory, costs nothing


def bootstrap_intervals(
    labels: npt.NDArray[np.int64],
    probabilities: Probabilities,
    lesions: npt.NDArray[np.str_],
    *,
    melanoma: int | None = None,
    num_samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Percentile intervals of every metric from resampling lesions with replacement.

    Where all lesions of a class are right, every sample says the same, however few they are; so it
    is where all are wrong. Such a class gets one imagined lesion that is the other, and intervals
    reach as far as those that a single error would have. For n lesions that are all right this is
    about the rule of three, 1 - 3 / n (Hanley and Lippman-Hand 1983, doi
    10.1001/jama.1983.03330370053031), a one-sided limit of 95 %.

    Parameters
    ----------
    labels, probabilities, melanoma
        As for `classification_metrics`.
    lesions : numpy.ndarray
        (N,) the lesion of each image; all images of a drawn lesion come along.
    num_samples : int
        Bootstrap samples.
    confidence : float
        Share of the samples that the interval holds, in (0, 1).
    seed : int
        Fixes the draws.

    Returns
    -------
    dict
        Metric to (low, high). A sample in which a metric is undefined is left out of its interval.

    Raises
    ------
    ParameterError
        When ``num_samples`` or ``confidence`` is out of range.
    SchemaError
        As `classification_metrics`, or when lesions are not as many as labels.
    """
    check(labels, probabilities, melanoma)
    if num_samples < 1 or not 0 < confidence < 1:
        raise ParameterError(
            f"bootstrap: received {num_samples} samples at confidence {confidence}, expected at "
            "least 1 at a confidence in (0, 1)"
        )
    if len(lesions) != len(labels):
        raise SchemaError(f"received {len(lesions)} lesions for {len(labels)} labels")
    tail = (1 - confidence) / 2
    found = _intervals(labels, probabilities, lesions, melanoma, _Draws(num_samples, tail, seed))
    doubted = _doubted(labels, probabilities, lesions)
    if len(doubted[0]) == len(labels):
        return found
    wider = _intervals(*doubted, melanoma, _Draws(num_samples, tail, seed))
    return {
        name: (min(low, wider[name][0]), max(high, wider[name][1]))
        for name, (low, high) in found.items()
    }


class _Draws(NamedTuple):
    num_samples: int
    tail: float
    seed: int


def _intervals(
    labels: npt.NDArray[np.int64],
    probabilities: Probabilities,
    lesions: npt.NDArray[np.str_],
    melanoma: int | None,
    draws: _Draws,
) -> dict[str, tuple[float, float]]:
    random = np.random.default_rng(draws.seed)
    names, lesion_of_image = np.unique(lesions, return_inverse=True)
    chances = np.full(len(names), 1 / len(names))
    chunks = []
    for start in range(0, draws.num_samples, CHUNK):
        size = min(CHUNK, draws.num_samples - start)
        counts = random.multinomial(len(names), chances, size).astype(np.float64)
        weights = counts[:, lesion_of_image]  # (S, N)
        chunks.append(weighted_metrics(weights, labels, probabilities, melanoma))
    return {
        name: _interval(np.concatenate([chunk[name] for chunk in chunks]), draws.tail)
        for name in chunks[0]
    }


def _doubted(
    labels: npt.NDArray[np.int64], probabilities: Probabilities, lesions: npt.NDArray[np.str_]
) -> tuple[npt.NDArray[np.int64], Floats, npt.NDArray[np.str_]]:
    """Add to each class whose images are all right, or all wrong, a lesion that is the other.

    It has as many images as the class's lesions have in the mean. What is wrong is taken for
    another class that occurs, if there is one.
    """
    present, num_classes = np.unique(labels), max(2, probabilities.shape[1])
    given = np.pad(probabilities, ((0, 0), (0, num_classes - probabilities.shape[1])))
    right = given.argmax(axis=1) == labels
    classes, predicted = [], []
    for index, each in enumerate(present):
        of_class = labels == each
        if right[of_class].any() and not right[of_class].all():
            continue
        other = present[(index + 1) % len(present)]
        wrong = other if other != each else (each + 1) % num_classes
        images = round(of_class.sum() / len(np.unique(lesions[of_class])))
        classes += [each] * images
        predicted += [wrong if right[of_class].all() else each] * images
    imagined = [f"imagined {each}" for each in classes]
    return (
        np.concatenate([labels, np.array(classes, np.int64)]),
        np.concatenate([given, np.eye(num_classes)[np.array(predicted, np.int64)]]),
        np.concatenate([[f"lesion {name}" for name in lesions], imagined]),
    )


def _interval(values: Floats, tail: float) -> tuple[float, float]:
    defined = values[~np.isnan(values)]
    if not defined.size:
        return (float("nan"), float("nan"))
    low, high = np.quantile(defined, (tail, 1 - tail))
    return (float(low), float(high))
