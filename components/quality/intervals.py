"""Intervals of the means of metrics and of their gains from one k to the next."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, stdtrit

from slimderm.components.quality.metrics import METRICS

Floats = npt.NDArray[np.float64]


def reach_of(
    num_images: int, error: float, min_images: int, population: int | None
) -> tuple[float, float]:
    """Give how many standard errors an interval reaches, and one error in standard deviations.

    Robbins' normal mixture: with probability 1 - `error` a random walk of unit steps stays within
    sqrt((n + m) (log(1 + n / m) + 2 log(1 / error))) for all n together; m is `min_images`. In
    standard errors that is 3.1 to 3.7 for an error of 0.05, where a single look would have 1.96.
    Student's t of the same tail allows for the deviation being estimated; n / (1 - n / N) in place
    of n for draws without replacement from N.

    References
    ----------
    Robbins, "Statistical methods related to the law of the iterated logarithm", Annals of
    Mathematical Statistics 41, 1970. Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform
    central limit theory and asymptotic confidence sequences", Annals of Statistics 52, 2024.
    """
    left = 1.0 if population is None else 1 - num_images / population
    if left == 0:
        return 0.0, 0.0
    root = math.sqrt(left / num_images)
    if num_images < 2:
        return math.inf, root
    time = num_images / left / min_images
    normal = math.sqrt((1 + 1 / time) * (math.log1p(time) - 2 * math.log(error)))
    return float(-stdtrit(num_images - 1, ndtr(-normal))), root


def estimate(
    values: Floats, metrics: Sequence[str], reach: float, root: float
) -> dict[str, Floats]:
    """Give means, gains and their bounds, each of shape (num_metrics, num_k).

    A gain is mean(step) / mean(span), span being the difference between the k of the best and of
    the worst mean. By the delta method it errs as the mean of (step - gain * span) / mean(span).
    """
    num_k = values.shape[1]
    means = values.mean(axis=0).T  # (num_metrics, num_k)
    centred = values.transpose(2, 1, 0) - means[:, :, None]  # (num_metrics, num_k, num_images)
    better = np.array([METRICS[metric].sign for metric in metrics])
    unit = np.eye(num_k)
    ordered = means * better[:, None]
    spans = unit[ordered.argmax(axis=1)] - unit[ordered.argmin(axis=1)]  # (num_metrics, num_k)
    steps = np.vstack([np.diff(unit, axis=0), np.full(num_k, np.nan)])  # (num_k, num_k)
    with np.errstate(divide="ignore", invalid="ignore"):
        span = (spans * means).sum(axis=1)
        gain = means @ steps.T / span[:, None]
        contrasts = (steps - gain[:, :, None] * spans[:, None]) / span[:, None, None]
        mean_below, mean_above = _half_widths(unit @ centred, reach, root)
        gain_below, gain_above = _half_widths(contrasts @ centred, reach, root)
        span_half = np.maximum(*_half_widths(spans[:, None] @ centred, reach, root))[:, 0]
    still = (np.ptp(values, axis=1) == 0).all(axis=0) | ((span == 0) & (reach == 0))
    low, high = gain - gain_below, gain + gain_above
    # Divided by a span that may be zero, a gain may be anything.
    vague = (np.abs(span) <= span_half) & ~still
    low[vague, :-1], high[vague, :-1] = -math.inf, math.inf
    return {
        "mean": means,
        "mean_low": means - mean_below,
        "mean_high": means + mean_above,
        "gain": gain,
        "gain_low": low,
        "gain_high": high,
    }


def _half_widths(errors: Floats, reach: float, root: float) -> tuple[Floats, Floats]:
    """Give how far an interval goes below and above a mean, from (..., num_images) around 0.

    A few images make most of what a late step gains, and a part without them underrates both mean
    and deviation. So on the side of the long tail the interval is widened by the second term of the
    Cornish-Fisher expansion (Hall, "On the removal of skewness by transformation", Journal of the
    Royal Statistical Society B 54, 1992); on the other it is not narrowed.
    """
    if math.isinf(reach):
        endless = np.full(errors.shape[:-1], math.inf)
        return endless, endless
    deviation = np.sqrt((errors**2).sum(axis=-1) / max(errors.shape[-1] - 1, 1))
    third = (errors**3).mean(axis=-1)
    skewness = np.divide(third, deviation**3, out=np.zeros_like(third), where=deviation > 0)
    tail = skewness * root * (1 + 2 * reach**2) / 6
    below, above = (reach + np.maximum(side * tail, 0) for side in (-1, 1))
    return below * deviation * root, above * deviation * root
