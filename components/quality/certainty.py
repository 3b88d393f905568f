"""Say when enough images are measured for the choice of k to be certain.

The choice (`slimderm.components.quality.choice`) rests on means over images. A sample
gives these means to within an interval. It is drawn in the order of
`slimderm.components.dataset.strata`, so that it holds each diagnosis in proportion at any size. The
intervals are looked at after each chunk. An ordinary interval misses the truth too often when it is
looked at often, so these are wider and hold the truth at all looks together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from slimderm.components.common.errors import ParameterError, SchemaError
from slimderm.components.quality.intervals import estimate, reach_of
from slimderm.components.quality.settings import ChooseSettings

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Certainty:
    """Whether to stop measuring after `num_images`, and `reason`, a sentence for a person.

    ``intervals`` has a row a k and metric: ``k``, ``metric``; ``mean``, ``mean_low``, ``mean_high``
    in the metric's unit; ``gain``, ``gain_low``, ``gain_high`` of the step to the next k, as a
    share of the metric's range over k, NaN for the last k and where the metric never moves;
    ``state``: ``gains`` (the whole interval at or above the tolerance), ``settled`` (below it, or
    NaN) or ``open``.
    """

    settled: bool
    num_images: int
    intervals: pd.DataFrame
    reason: str


def certainty(
    table: pd.DataFrame,
    settings: ChooseSettings,
    *,
    confidence: float = 0.95,
    min_images: int,
    population: int | None = None,
) -> Certainty:
    """Say whether the images measured so far make the choice of k certain.

    It is certain when every step from the chosen k on is settled in every decisive metric and the
    step to it gains in at least one. Steps further below cannot change it. The rule ``fixed`` has
    nothing to decide.

    Parameters
    ----------
    table : DataFrame
        Rows of `slimderm.components.quality.sweep.measure_image`, of images drawn at random.
    settings : ChooseSettings
    confidence : float
        Probability that a step's intervals, of all metrics, hold the truth at all looks together.
    min_images : int
        At least 2; with fewer measured nothing is certain, unless they are all. The intervals are
        the tightest from 4 to 20 times as many on.
    population : int, optional
        How many images there are. Then the truth is the mean over these, and the intervals shrink
        to it as the last are measured; else it is the mean over endlessly many.

    Returns
    -------
    Certainty

    Raises
    ------
    ParameterError
        If `confidence`, `min_images` or `population` is out of range, or the table has no row of
        arm ``svd`` and the stage asked for.
    SchemaError
        If an image lacks a k, has it twice, or has no number for a decisive metric.
    """
    _check(confidence, min_images)
    values, ranks = _pivot(table, settings)
    return certainty_of(
        values,
        ranks,
        settings,
        confidence=confidence,
        min_images=min_images,
        population=population,
    )


def certainty_of(
    values: Floats,
    ranks: Sequence[int],
    settings: ChooseSettings,
    *,
    confidence: float = 0.95,
    min_images: int,
    population: int | None = None,
) -> Certainty:
    """Do what `certainty` does, from an array.

    Parameters
    ----------
    values : float64 array of shape (num_images, num_k, num_metrics)
        In the order of `ranks`, ascending, and of `settings.metrics`, each in its unit.
    ranks : sequence of int
    settings, confidence, min_images, population
        As for `certainty`; so is what is returned and raised.
    """
    _check(confidence, min_images)
    num_images, num_k, num_metrics = values.shape
    if population is not None and population < num_images:
        raise ParameterError(
            f"population: received {population}, expected at least the {num_images} measured"
        )
    # Each metric alone can make a step gain, so they share the probability of an error.
    error = (1 - confidence) / num_metrics
    reach = reach_of(num_images, error, min_images, population)
    found = estimate(values, settings.metrics, *reach)
    state = np.where(found["gain_low"] >= settings.tolerance, "gains", "open").astype(object)
    state[~(found["gain_high"] >= settings.tolerance)] = "settled"
    columns = {"k": np.tile(ranks, num_metrics), "metric": np.repeat(settings.metrics, num_k)}
    columns |= {name: array.ravel() for name, array in {**found, "state": state}.items()}
    intervals = pd.DataFrame(columns)
    prefix = f"{num_images} images"
    if num_images < min_images and num_images != population:
        return Certainty(False, num_images, intervals, f"{prefix} are fewer than {min_images}.")
    if settings.rule == "fixed":
        return Certainty(True, num_images, intervals, f"{prefix} are enough: choose.k sets k.")
    settled, reason = _verdict(found["gain"], state, intervals, settings)
    return Certainty(settled, num_images, intervals, f"{prefix}: {reason}")


def _check(confidence: float, min_images: int) -> None:
    if not 0 < confidence < 1:
        raise ParameterError(f"confidence: received {confidence}, expected a number in (0, 1)")
    if min_images < 2:
        raise ParameterError(f"min_images: received {min_images}, expected at least 2")


def _pivot(table: pd.DataFrame, settings: ChooseSettings) -> tuple[Floats, list[int]]:
    """Give the decisive metrics as (num_images, num_k, num_metrics), and the k."""
    rows = table[(table["arm"] == "svd") & (table["stage"] == settings.stage)]
    if rows.empty:
        raise ParameterError(
            f"choose.stage: the table has no row of arm svd and stage {settings.stage!r}; "
            "run the sweep step"
        )
    images, names = pd.factorize(rows["image_id"])
    columns, ranks = pd.factorize(rows["k"], sort=True)
    values = np.full((len(names), len(ranks), len(settings.metrics)), np.nan)
    values[images, columns] = rows[list(settings.metrics)].to_numpy(np.float64)
    faulty = ~np.isfinite(values).all(axis=(1, 2))
    faulty |= np.bincount(images) != len(ranks)
    if faulty.any():
        raise SchemaError(
            f"image {names[faulty][0]}: received rows that lack a k or a number or hold a k twice, "
            f"expected one row for each k in {[int(k) for k in ranks]} with a number for each of "
            f"{', '.join(settings.metrics)}; measure it again, or leave it out"
        )
    return values, [int(k) for k in ranks]


def _verdict(
    gain: Floats, state: npt.NDArray[np.object_], intervals: pd.DataFrame, settings: ChooseSettings
) -> tuple[bool, str]:
    """Say whether no interval leaves the choice open; arrays of shape (num_metrics, num_k)."""
    moving = np.flatnonzero((gain >= settings.tolerance).any(axis=0))
    chosen = int(moving[-1]) + 1 if len(moving) else 0
    k = intervals["k"].iloc[chosen]
    decisive = np.zeros(state.shape, bool)
    decisive[:, chosen:] = True
    if chosen:
        decisive[:, chosen - 1] = not (state[:, chosen - 1] == "gains").any()
    rows = intervals[(decisive & (state == "open")).ravel()]
    if rows.empty:
        return True, f"k = {k} is certain."
    row = rows.loc[rows["gain"].fillna(math.inf).idxmax()]
    return False, (
        f"k = {k} is not certain, as the step from k = {row['k']} gains {row['metric']} "
        f"{row['gain_low']:.2%} to {row['gain_high']:.2%} of its range, on both sides of the "
        f"tolerance, {settings.tolerance:.2%}."
    )
