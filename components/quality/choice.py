"""The choice of k: a pure function over the sweep's table."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from components.errors import ParameterError, SchemaError
from components.quality.measure import METRICS
from components.settings import Settings, setting

DECISIVE = ("ssim", "bhattacharyya", "haralick_distance", "mse_high")


@dataclass(frozen=True)
class ChooseSettings(Settings):
    """Section ``choose`` of ``params.yaml``.

    ``rule`` is ``stabilisation`` (the paper's: from the chosen k on, no metric gains much) or
    ``fixed`` (take ``k``). ``tolerance`` is the gain, as a share of the metric's whole range over
    k, that counts as nothing.
    """

    rule: str = setting("stabilisation", choices=("stabilisation", "fixed"))
    metrics: tuple[str, ...] = setting(DECISIVE, choices=tuple(METRICS))
    tolerance: float = setting(0.01, above=0, below=1)
    stage: str = setting("after", choices=("before", "after"))
    k: int | None = setting(None, low=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.metrics:
            raise ParameterError(
                f"metrics: received none, expected at least one of {', '.join(METRICS)}"
            )


@dataclass(frozen=True)
class Choice:
    """The chosen k, the rule, a sentence for a person, and the gains that decided.

    ``evidence`` has a row a k and metric: ``k``, ``metric``, ``gain`` (share of the metric's range
    that the step to the next k gains, NaN for the last), ``settled``.
    """

    k: int
    rule: str
    reason: str
    evidence: pd.DataFrame


def choose_k(summary: pd.DataFrame, settings: ChooseSettings) -> Choice:
    """Pick k.

    The paper takes the k from which on its metrics "stabilise". Made exact: for each decisive
    metric take its means over k, and call the step from one k to the next settled when what it
    gains is less than `tolerance` of the difference between the metric's worst and best mean. The
    choice is the smallest k from which on every step of every metric is settled. A loss, as noise
    can bring at the end, is settled too. Where no step settles, the choice is the largest k.

    Parameters
    ----------
    summary : DataFrame
        As `components.quality.sweep.summarise` gives it.
    settings : ChooseSettings

    Returns
    -------
    Choice

    Raises
    ------
    ParameterError
        If the rule is ``fixed`` without a k, its k was not swept, or the table has no row of arm
        ``svd`` and the stage asked for.
    SchemaError
        If the mean of a decisive metric is no number, which could pass for settled.
    """
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
        return Choice(settings.k, "fixed", f"k = {settings.k} is set by choose.k.", evidence)
    restless = evidence[~evidence["settled"]]
    last = restless["k"].max() if len(restless) else None
    k = ranks[0] if last is None else ranks[ranks.index(int(last)) + 1]
    return Choice(k, "stabilisation", _reason(k, ranks, restless, settings), evidence)


def _gains(rows: pd.DataFrame, ranks: list[int], settings: ChooseSettings) -> pd.DataFrame:
    records = []
    for metric in settings.metrics:
        sign = 1 if METRICS[metric].better == "higher" else -1
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
