"""What one storage option saves over another at the same quality (Bjøntegaard, VCEG-M33)."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.interpolate import PchipInterpolator

from slimderm.components.common.errors import ParameterError
from slimderm.components.quality.metrics import HEADLINE, METRICS

Floats = npt.NDArray[np.float64]


def bjontegaard_rate(
    rate: Floats, quality: Floats, *, base_rate: Floats, base_quality: Floats
) -> float:
    """Mean difference of rate at equal quality, as a share of the base's.

    Piecewise cubic Hermite interpolation of the logarithm of the rate over quality, integrated over
    the qualities that both curves reach. Points that others dominate are left out.

    Parameters
    ----------
    rate, base_rate : float arrays of shape (N,), (M,)
        Bits or bytes, positive.
    quality, base_quality : float arrays of shape (N,), (M,)
        Higher is better.

    Returns
    -------
    float
        -0.3 says 30 % less; NaN where the curves have fewer than two points or no quality in
        common.
    """
    return _difference(_curve(rate, quality), _curve(base_rate, base_quality))


def _curve(rate: Floats, quality: Floats) -> PchipInterpolator | None:
    """Logarithm of the rate over quality; None where two points are missing.

    A point that costs more than another and gives no more is left out: nobody would use it, and
    the curve would turn back.
    """
    points: list[tuple[float, float]] = []
    for cost, level in sorted(zip(rate, quality, strict=True)):
        if not points or level > points[-1][0]:
            points.append((level, cost))
    if len(points) < 2:
        return None
    levels, costs = np.array(points).T
    return PchipInterpolator(levels, np.log(costs))


def _difference(curve: PchipInterpolator | None, base: PchipInterpolator | None) -> float:
    if curve is None or base is None:
        return float("nan")
    low, high = max(curve.x[0], base.x[0]), min(curve.x[-1], base.x[-1])
    if not low < high:
        return float("nan")
    gap = (curve.integrate(low, high) - base.integrate(low, high)) / (high - low)
    return float(np.expm1(gap))


def rate_table(
    table: pd.DataFrame, *, base: str = "jpeg", confidence: float, samples: int, seed: int
) -> pd.DataFrame:
    """Compare the curve of each codec and k with that of `base` without SVD.

    A curve is the mean metric against the mean bits per pixel over the qualities of a codec. Two
    curves are compared over the images that both codecs can store.

    Parameters
    ----------
    table : DataFrame
        Rows of `slimderm.components.quality.storage_options.measure_options`.
    base : str
        Codec that the others are compared with.
    confidence : float
        Of the intervals.
    samples : int
        Bootstrap samples over images; with one image there are no intervals.
    seed : int

    Returns
    -------
    DataFrame
        Columns codec, k (NaN without SVD), metric (of `HEADLINE`), rate (share; negative where
        bytes are saved), low, high. Codecs of one quality, which are no curve, are left out.

    Raises
    ------
    ParameterError
        If the table holds no curve of `base` without SVD.
    """
    curves = _curves(table)
    if (base, 0) not in curves:
        raise ParameterError(
            f"base: received {base!r} without two qualities in the table, expected one of "
            f"{sorted({codec for codec, _ in curves})}"
        )
    num_images = table["image_id"].nunique()
    random = np.random.default_rng(seed)
    shape = (samples if num_images > 1 else 0, num_images)
    draws = [np.arange(num_images), *random.integers(0, num_images, shape)]
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    rows = []
    for metric in HEADLINE:
        for (codec, k), values in curves.items():
            both = _has_all(values) & _has_all(curves[base, 0])
            rates = [
                _difference(
                    _mean_curve(values, metric, draw[both[draw]]),
                    _mean_curve(curves[base, 0], metric, draw[both[draw]]),
                )
                for draw in draws
            ]
            spread = [rate for rate in rates[1:] if not np.isnan(rate)]
            low, high = np.quantile(spread, tails) if spread else (np.nan, np.nan)
            row = {"codec": codec, "k": k or np.nan, "metric": metric, "rate": rates[0]}
            rows.append(row | {"low": low, "high": high})
    return pd.DataFrame(rows).sort_values(["codec", "k", "metric"], ignore_index=True)


Values = Mapping[str, Floats]  # "bits" and each metric to values of shape (qualities, images)


def _curves(table: pd.DataFrame) -> dict[tuple[str, int], Values]:
    """Give the curve of each codec and k; k is 0 without SVD."""
    table = table.assign(bits=8 * table["bytes_after"] / table["pixels"], k=table["k"].fillna(0))
    found: dict[tuple[str, int], Values] = {}
    images = sorted(table["image_id"].unique())
    for (codec, k), rows in table.groupby(["codec", "k"], sort=True):
        if rows["quality"].nunique() > 1:
            found[str(codec), int(k)] = {
                value: rows.pivot(index="quality", columns="image_id", values=value)
                .reindex(columns=images)
                .to_numpy()
                for value in ("bits", *HEADLINE)
            }
    return found


def _has_all(values: Values) -> npt.NDArray[np.bool_]:
    """Whether each image could be stored at every quality."""
    return np.asarray(~np.isnan(values["bits"]).any(axis=0))


def _mean_curve(
    values: Values, metric: str, images: npt.NDArray[np.int64]
) -> PchipInterpolator | None:
    """Give the curve of the mean over some images, by their positions; None of none."""
    if not len(images):
        return None
    sign = METRICS[metric].sign
    rate, quality = values["bits"][:, images], values[metric][:, images]
    return _curve(rate.mean(axis=1), sign * quality.mean(axis=1))
