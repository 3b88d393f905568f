"""The choice of how to store: pure functions over the tables of the sweep and of the study."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from slimderm.components.common.errors import ParameterError, SchemaError
from slimderm.components.quality.metrics import METRICS, describe_floors
from slimderm.components.quality.settings import ChooseSettings


@dataclass(frozen=True)
class OptionChoice:
    """The chosen storage option, a sentence for a person, and all options that qualify.

    ``k`` is None without SVD.

    ``evidence`` has a row an option that meets every floor, the smallest first: ``codec``,
    ``quality``, ``k``, ``bytes_after``, and the mean of each metric that has a floor.
    """

    codec: str
    quality: int
    k: int | None
    reason: str
    evidence: pd.DataFrame


@dataclass(frozen=True)
class RankChoice:
    """The chosen k, the rule, a sentence for a person, and the gains that decided.

    ``evidence`` has a row a k and metric: ``k``, ``metric``, ``gain`` (share of the metric's range
    that the step to the next k gains, NaN for the last), ``settled``.
    """

    k: int
    rule: str
    reason: str
    evidence: pd.DataFrame


def choose_k(summary: pd.DataFrame, settings: ChooseSettings) -> RankChoice:
    """Pick k.

    The paper takes the k from which on its metrics "stabilise". Made exact: for each decisive
    metric take its means over k, and call the step from one k to the next settled when what it
    gains is less than `tolerance` of the difference between the metric's worst and best mean. The
    choice is the smallest k from which on every step of every metric is settled. A loss, as noise
    can bring at the end, is settled too. Where no step settles, the choice is the largest k.

    Parameters
    ----------
    summary : DataFrame
        As `slimderm.components.quality.sweep.summarise` gives it.
    settings : ChooseSettings

    Returns
    -------
    RankChoice

    Raises
    ------
    ParameterError
        If the rule is ``fixed`` without a k, its k was not swept, the rule is not about k, or the
        table has no row of arm ``svd`` and the stage asked for.
    SchemaError
        If the mean of a decisive metric is no number, which could pass for settled.
    """
    if settings.rule == "fewest_bytes":
        raise ParameterError(
            "choose.rule: fewest_bytes chooses codec and quality, too; call choose_option"
        )
    rows = summary[(summary["arm"] == "svd") & (summary["stage"] == settings.stage)]
    rows = rows.sort_values("k")
    ranks = [int(k) for k in rows["k"]]
    if not ranks:
        raise ParameterError(
            f"choose.stage: the table has no row of arm svd and stage {settings.stage!r}; "
            "run the sweep step"
        )
    evidence = _gains(rows, ranks, settings)
    if settings.rule == "fixed":
        if settings.k not in ranks:
            raise ParameterError(f"choose.k: received {settings.k}, expected one of {ranks}")
        return RankChoice(settings.k, "fixed", f"k = {settings.k} is set by choose.k.", evidence)
    restless = evidence[~evidence["settled"]]
    last = restless["k"].max() if len(restless) else None
    k = ranks[0] if last is None else ranks[ranks.index(int(last)) + 1]
    return RankChoice(k, "stabilisation", _reason(k, ranks, restless, settings), evidence)


def _gains(rows: pd.DataFrame, ranks: list[int], settings: ChooseSettings) -> pd.DataFrame:
    records = []
    for metric in settings.metrics:
        sign = METRICS[metric].sign
        means = sign * rows[f"{metric}_mean"].to_numpy()
        if not np.isfinite(means).all():
            raise SchemaError(
                f"{metric}_mean: received {list(rows[f'{metric}_mean'])}, expected a number for "
                f"each k; look for the image that has none, or leave {metric} out of choose.metrics"
            )
        span = means.max() - means.min()
        for index, k in enumerate(ranks):
            last = index + 1 == len(ranks)
            gain = float("nan") if last or not span else (means[index + 1] - means[index]) / span
            settled = not gain >= settings.tolerance
            records.append({"k": k, "metric": metric, "gain": gain, "settled": settled})
    return pd.DataFrame(records)


def _reason(k: int, ranks: list[int], restless: pd.DataFrame, settings: ChooseSettings) -> str:
    limit = f"{settings.tolerance:.0%} of its range"
    names = ", ".join(settings.metrics)
    if restless.empty:
        return f"No step between the swept k gains {limit} on {names}, so k = {k}, the smallest."
    final = restless[restless["k"] == restless["k"].max()].nlargest(1, "gain").iloc[0]
    moved = f"the step to k = {k} still brings {final['metric']} {final['gain']:.1%} of its range"
    if k == ranks[-1]:
        return f"No k settles before the largest, k = {k}: {moved}."
    return f"From k = {k} on no step gains {limit} on {names}; {moved}."


def choose_option(summary: pd.DataFrame, floors: dict[str, float]) -> OptionChoice:
    """Pick the storage option that takes the fewest bytes and meets every floor.

    Parameters
    ----------
    summary : DataFrame
        As `slimderm.components.quality.storage_options.summarise_options` gives it.
    floors : dict
        Metric to the worst mean that is permitted: a lower bound where higher is better, else an
        upper one.

    Returns
    -------
    OptionChoice
        Of two with the same bytes the one without SVD.

    Raises
    ------
    ParameterError
        If a floor's metric is unknown, or nothing meets them all; the message names what came
        nearest.
    SchemaError
        If the mean of a metric that has a floor is no number.
    """
    for metric in floors:
        if metric not in METRICS:
            raise ParameterError(
                f"floors: received {metric!r}, expected some of {', '.join(METRICS)}"
            )
        if not np.isfinite(summary[f"{metric}_mean"]).all():
            raise SchemaError(
                f"{metric}_mean: received a storage option without a number, expected one for "
                f"each; look for the image that has none, or leave {metric} out of choose.floors"
            )
    whole = summary[summary["num_left_out"] == 0]
    without = len(summary) - len(whole)
    summary = whole
    short = pd.DataFrame(index=summary.index)
    for metric, floor in floors.items():
        sign = METRICS[metric].sign
        short[metric] = (sign * (floor - summary[f"{metric}_mean"])).clip(lower=0)
    meets = summary[(short == 0).all(axis=1)]
    if meets.empty:
        spread = short / short.max().where(short.max() > 0, 1)
        nearest = spread.sum(axis=1).idxmin()
        row, metric = summary.loc[nearest], spread.loc[nearest].idxmax()
        raise ParameterError(
            f"floors: no storage option meets {describe_floors(floors)}; {_option_name(row)} comes "
            f"nearest, with {metric} {row[f'{metric}_mean']:.4g}. Lower that "
            "floor, or add codecs and qualities to storage.qualities"
        )
    order = meets.assign(svd=meets["k"].notna()).sort_values(["bytes_after", "svd", "codec"])
    best = order.iloc[0]
    columns = ["codec", "quality", "k", "bytes_after", *(f"{metric}_mean" for metric in floors)]
    return OptionChoice(
        codec=str(best["codec"]),
        quality=int(best["quality"]),
        k=None if pd.isna(best["k"]) else int(best["k"]),
        reason=f"{_option_name(best)} takes the fewest bytes of the {len(meets)} storage "
        f"options, of {len(summary)}, that meet {describe_floors(floors)}."
        + (f" {without} cannot store every image." if without else ""),
        evidence=order[columns].reset_index(drop=True),
    )


def _option_name(row: pd.Series) -> str:
    rank = "without SVD" if pd.isna(row["k"]) else f"at k = {row['k']:.0f}"
    return f"{row['codec']} of quality {row['quality']:.0f} {rank}"
