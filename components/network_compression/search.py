"""Which recipes to try, and which of those tried to go on with.

Successive halving: many recipes are trained for a few epochs, the better half for twice as many,
and so on. Better is by non-domination: bytes, operations and accuracy are not weighed against each
other.

References
----------
Jamieson, Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization",
arXiv:1502.07943 (successive halving). Deb et al., "A fast and elitist multiobjective genetic
algorithm: NSGA-II", 2002 (non-dominated sorting, crowding distance).
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from slimderm.components.common.checks import check_whole
from slimderm.components.common.errors import ParameterError

Values = npt.NDArray[np.float64]
Passes = tuple[dict[str, Any], ...]

# What is tried at each place of a recipe; None leaves the place out.
SPACE: Sequence[Sequence[Mapping[str, Any] | None]] = (
    (None, *({"pass": "prune", "ratio": each} for each in (0.25, 0.5, 0.75))),
    (
        None,
        *(
            {"pass": "low_rank", "ranks": {"energy": each}, "data_aware": True}
            for each in (0.95, 0.8)
        ),
    ),
    (None, {"pass": "tucker", "ranks": {"energy": 0.9}}, {"pass": "separable"}),
    (None, {"pass": "distil", "alpha": 0.5}),
    (None, *({"pass": "sparsify", "ratio": each, "steps": 1} for each in (0.5, 0.8, 0.9))),
    (
        None,
        *({"pass": "share", "bits": bits} for bits in (5, 4, 3, 2)),
        {"pass": "quantise", "bits": 4},
    ),
)


def candidates(number: int, seed: int) -> list[Passes]:
    """Draw recipes without repetition; the epochs of their passes are left open.

    Parameters
    ----------
    number : int
        From 1; at most as many as there are in `SPACE`.
    seed : int
        Fixes the draws.

    Raises
    ------
    ParameterError
        For fewer than one, or for more than there are.
    """
    check_whole("recipes", number)
    whole = list(_all())
    if number > len(whole):
        raise ParameterError(f"recipes: received {number}, expected at most {len(whole)}")
    chosen = np.random.default_rng(seed).choice(len(whole), number, replace=False)
    return [whole[index] for index in chosen]


def _all() -> Iterator[Passes]:
    for places in itertools.product(*SPACE):
        passes = tuple(dict(given) for given in places if given is not None)
        if passes:
            yield passes


def ranks(costs: Values) -> npt.NDArray[np.int64]:
    """Tell how deep each row lies behind the Pareto front.

    Parameters
    ----------
    costs : float64 array of shape (N, D)
        All to be small.

    Returns
    -------
    int64 array of shape (N,)
        0 on the front; 1 on the front of what is left without it; and so on.
    """
    found = np.full(len(costs), -1, np.int64)
    no_worse = (costs[:, None] <= costs[None]).all(axis=2)
    better = (costs[:, None] < costs[None]).any(axis=2)
    dominates: npt.NDArray[np.bool_] = np.logical_and(no_worse, better)  # row over column
    depth = 0
    while (found < 0).any():
        left = found < 0
        found[left & ~dominates[left].any(axis=0)] = depth
        depth += 1
    return found


def survivors(costs: Values, number: int) -> list[int]:
    """Choose rows by rank, and of the last rank those that stand most alone.

    Parameters
    ----------
    costs : float64 array of shape (N, D)
        All to be small.
    number : int
        How many, at most N.

    Returns
    -------
    list of int
        In the order of the rows.
    """
    depth = ranks(costs)
    alone = np.empty(len(costs))
    for each in np.unique(depth):
        alone[depth == each] = crowding(costs[depth == each])
    order = np.lexsort((-alone, depth))
    return sorted(int(index) for index in order[:number])


def crowding(costs: Values) -> Values:
    """Return each row's distance to its neighbours, summed over columns; infinite at the ends."""
    distance = np.zeros(len(costs))
    for column in costs.T:
        order = np.argsort(column, kind="stable")
        spread = column[order[-1]] - column[order[0]]
        distance[order[[0, -1]]] = np.inf
        if spread > 0:
            distance[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / spread
    return distance


def described(passes: Sequence[Mapping[str, Any]]) -> str:
    """Write a recipe in a line, such as ``prune 0.5, share 4``."""
    said = []
    for given in passes:
        values = [given[name] for name in ("ratio", "bits", "ranks", "alpha") if name in given]
        shown = [each["energy"] if isinstance(each, dict) else each for each in values]
        said.append(" ".join([given["pass"], *map(str, shown)]))
    return ", ".join(said)
