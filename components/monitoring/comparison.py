"""Whether inputs look like the reference: a test for each number, each word and the embedding.

Numbers by Kolmogorov and Smirnov, words by chi-squared, embeddings by maximum mean discrepancy
(Gretton et al., JMLR 13, 2012); p-values adjusted together by Benjamini and Hochberg.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from scipy.spatial import distance

from slimderm.components.common.errors import SchemaError
from slimderm.components.monitoring.inputs import EMBEDDING, NUMBERS, WORDS, unpack
from slimderm.components.monitoring.settings import WatchSettings

LEAST_EXPECTED = 10  # of a word among the inputs; rarer ones are taken together
OTHERS = "rarer ones"
PERMUTATIONS = 999
ROUNDING = 1e-7  # of sums of float32 that are equal
COLUMNS = ("statistic", "test", "change", "distance", "least", "p", "p_adjusted", "drifted")

Floats = npt.NDArray[np.floating[Any]]


def compare(reference: pd.DataFrame, inputs: pd.DataFrame, settings: WatchSettings) -> pd.DataFrame:
    """Compare inputs with the reference, statistic by statistic.

    Parameters
    ----------
    reference, inputs : DataFrame
        A row a picture, columns as `slimderm.components.monitoring.inputs` makes them; what one of
        the two lacks is not compared.
    settings : WatchSettings

    Returns
    -------
    DataFrame
        A row a statistic, those that drifted first: ``statistic``; ``test``; ``change`` in words;
        ``distance``, 0 to 1 (NaN for the embedding, where it has no scale of its own); ``least``,
        the distance from which on it counts; ``p``; ``p_adjusted``; ``drifted``, whether
        ``p_adjusted`` is at most ``settings.false_alarms`` and the distance at least ``least``.

    Raises
    ------
    SchemaError
        If one of the two has no row, or they have no statistic in common.
    """
    common = [
        name for name in (*NUMBERS, *WORDS, EMBEDDING) if name in reference and name in inputs
    ]
    if not common or reference.empty or inputs.empty:
        raise SchemaError(
            f"received {len(inputs)} inputs with {', '.join(inputs) or 'nothing'} and a reference "
            f"of {len(reference)} with {', '.join(reference) or 'nothing'}, expected rows with "
            "statistics in common"
        )
    rows = [
        {"statistic": name} | test(reference[name], inputs[name])
        for names, test in ((NUMBERS, _numbers), (WORDS, _words))
        for name in names
        if name in common
    ]
    if EMBEDDING in common:
        vectors = [np.stack([*map(unpack, each[EMBEDDING])]) for each in (reference, inputs)]
        rows.append({"statistic": EMBEDDING} | _vectors(*vectors, seed=settings.seed))
    table = pd.DataFrame(rows)
    table["least"] = np.where(table["distance"].isna(), np.nan, settings.least_distance)
    table["p_adjusted"] = stats.false_discovery_control(table["p"], method="bh")
    far = table["distance"].isna() | (table["distance"] >= table["least"])
    table["drifted"] = (table["p_adjusted"] <= settings.false_alarms) & far
    order = ["drifted", "distance"]
    return table.sort_values(order, ascending=False, kind="stable", ignore_index=True)[
        list(COLUMNS)
    ]


def _numbers(reference: pd.Series, inputs: pd.Series) -> dict[str, Any]:
    found = stats.ks_2samp(reference.to_numpy(float), inputs.to_numpy(float), method="asymp")
    before, now = reference.median(), inputs.median()
    return {
        "test": "Kolmogorov-Smirnov",
        "change": f"median {before:.4g}, now {now:.4g}",
        "distance": float(found.statistic),
        "p": float(found.pvalue),
    }


def _words(reference: pd.Series, inputs: pd.Series) -> dict[str, Any]:
    """Compare how often words occur; the distance is half the sum of differences of shares."""
    counts = pd.DataFrame({"before": reference.value_counts(), "now": inputs.value_counts()})
    counts = counts.fillna(0).sort_index()
    expected = counts.sum(axis=1) * len(inputs) / (len(inputs) + len(reference))
    named = np.where(expected < LEAST_EXPECTED, OTHERS, counts.index.astype(str))
    counts = counts.groupby(named).sum()
    shares = counts / counts.sum()
    moved = (shares["now"] - shares["before"]).abs()
    most = moved.idxmax()
    before, now = shares.loc[most, "before"], shares.loc[most, "now"]
    p = 1.0  # where all have one word
    if len(counts) > 1:
        p = float(stats.chi2_contingency(counts.T.to_numpy(), correction=False).pvalue)
    return {
        "test": "chi-squared",
        "change": f"{most}: share {before:.2f}, now {now:.2f}",
        "distance": float(moved.sum() / 2),
        "p": p,
    }


def _vectors(reference: Floats, inputs: Floats, *, seed: int) -> dict[str, Any]:
    squared, p = maximum_mean_discrepancy(reference, inputs, seed=seed)
    return {
        "test": "maximum mean discrepancy",
        "change": f"squared discrepancy {squared:.2g}",
        "distance": float("nan"),
        "p": p,
    }


def maximum_mean_discrepancy(
    reference: Floats, inputs: Floats, *, permutations: int = PERMUTATIONS, seed: int
) -> tuple[float, float]:
    """Compare two samples of vectors by a Gaussian kernel and permutations.

    Each coordinate is divided by its spread in the reference; the kernel's width is the median
    distance in the reference.

    Parameters
    ----------
    reference, inputs : float arrays of shape (N, D) and (M, D)
    permutations : int
    seed : int
        Of the permutations.

    Returns
    -------
    squared : float
        The squared discrepancy (biased, so at least 0).
    p : float
        Share of permutations, the sample as it is among them, with as large a discrepancy.

    Raises
    ------
    SchemaError
        If the vectors differ in length.
    """
    if reference.ndim != 2 or inputs.ndim != 2 or reference.shape[1] != inputs.shape[1]:
        raise SchemaError(
            f"embedding: received {inputs.shape}, expected (M, D) like the reference's "
            f"{reference.shape}; make the reference anew"
        )
    spread = reference.std(axis=0, dtype=np.float64)
    both = np.concatenate([reference, inputs]) / np.where(spread > 0, spread, 1)  # (N + M, D)
    apart = distance.cdist(both, both, "sqeuclidean").astype(np.float32)
    width = np.median(apart[: len(reference), : len(reference)])
    kernel = np.exp(-apart / (width if width > 0 else 1))
    sizes = (len(reference), len(inputs))
    weights = np.repeat(np.array([1 / sizes[0], -1 / sizes[1]], np.float32), sizes)
    random = np.random.default_rng(seed)
    drawn = random.permuted(np.tile(weights, (permutations, 1)), axis=1)
    drawn = np.concatenate([weights[None], drawn])  # (P + 1, N + M)
    values = np.einsum("pn,pn->p", drawn @ kernel, drawn)
    return max(0.0, float(values[0])), float(np.mean(values >= values[0] - ROUNDING))
