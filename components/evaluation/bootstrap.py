"""Confidence intervals that know that images of one lesion belong together."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import ParameterError, SchemaError
from slimderm.components.evaluation.imagined import Imagined
from slimderm.components.evaluation.metrics import Floats, Probabilities, check, weighted_metrics

CHUNK = 128  # bootstrap samples at a time: bounds memory, costs nothing
NO_WIDTH = 1e-9


class _Draws(NamedTuple):
    num_samples: int
    tail: float
    seed: int


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
        Where all samples agree, as they do if everything is right, the interval reaches from that
        value to where it would end with two imagined lesions more in each class
        (`slimderm.components.evaluation.imagined`): few lesions prove no 100 %.

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
    draws = _Draws(num_samples, (1 - confidence) / 2, seed)
    found = _resampled(labels, probabilities, lesions, melanoma, draws)
    flat = [name for name, (low, high) in found.items() if high - low < NO_WIDTH]
    if flat:
        imagined = Imagined(labels, lesions)
        given = imagined.beside(probabilities)
        wider = _resampled(imagined.labels, given, imagined.lesions, melanoma, draws)
        for name in flat:
            (value, _), (low, high) = found[name], wider[name]
            found[name] = (min(value, low), max(value, high))
    return found


def _resampled(
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


def _interval(values: Floats, tail: float) -> tuple[float, float]:
    defined = values[~np.isnan(values)]
    if not defined.size:
        return (float("nan"), float("nan"))
    low, high = np.quantile(defined, (tail, 1 - tail))
    return (float(low), float(high))
