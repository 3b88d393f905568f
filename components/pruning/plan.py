"""Which bundles go: so many of each group, or all that score below one threshold."""

import math
from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from components.errors import ParameterError
from components.pruning.graph import Graph, Group, Keep
from components.pruning.importance import Floats
from components.pruning.recipe import SCOPES, Limits, matching

LARGEST = Fraction(999_999, 1_000_000)


class Planner:
    """Turns scores and a ratio into the bundles that stay.

    Parameters
    ----------
    graph : Graph
        The model's.
    scores : float64 array of shape (graph.num_bundles,)
        Importance, larger is better.
    scope : str
        ``local``: the ratio of every group; ``global``: the ratio of all bundles together, by one
        threshold.
    comparable : bool
        Whether scores of different groups are of one scale. If not, a global plan divides them by
        their group's mean first.
    limits : Limits
        What may not go.
    original : mapping, optional
        Group to the bundles it had once: a ratio then counts from these, not from what is there.

    Raises
    ------
    ParameterError
        For an unknown scope, or a name in the limits that no layer has.
    """

    def __init__(
        self,
        graph: Graph,
        scores: Floats,
        *,
        scope: str = "local",
        comparable: bool = False,
        limits: Limits | None = None,
        original: Mapping[str, int] | None = None,
    ) -> None:
        if scope not in SCOPES:
            raise ParameterError(f"scope: received {scope!r}, expected one of {', '.join(SCOPES)}")
        self.graph, self.scores, self.scope = graph, scores, scope
        self.limits = limits or Limits()
        self.original = {
            group.name: (original or {}).get(group.name, len(group.bundles))
            for group in graph.groups
        }
        self.floors = self._floors()
        self.free = graph.free & ~self._whole()
        self.ranks = self._ranks(comparable)

    def _matching(self, pattern: str) -> list[str]:
        return matching(self.graph.producers, pattern, "layer with channels of its own")

    def _whole(self) -> Keep:
        """Bundles of layers that are to stay as they are."""
        whole = np.zeros(self.graph.num_bundles, bool)
        for pattern in self.limits.keep:
            for path in self._matching(pattern):
                whole[self.graph.producers[path].labels] = True
        if self.limits.only is not None:
            named = {path for pattern in self.limits.only for path in self._matching(pattern)}
            for group in self.graph.groups:
                if named.isdisjoint(group.layers):
                    whole[group.bundles] = True
        return whole

    def _floors(self) -> dict[str, int]:
        floors, multiple = dict.fromkeys(self.graph.producers, 1), self.limits.multiple
        for pattern, floor in self.limits.floors.items():
            for path in self._matching(pattern):
                floors[path] = -(-floor // multiple) * multiple
        return floors

    def _ranks(self, comparable: bool) -> Floats:
        if self.scope == "local" or comparable:
            return self.scores
        ranks = self.scores.copy()
        for group in self.graph.groups:
            mean = self.scores[group.bundles].mean()
            ranks[group.bundles] /= mean if mean > 0 else 1.0
        return ranks

    def plan(self, ratio: float | Fraction) -> Keep:
        """Choose the bundles that stay when a ratio of them is to go.

        A group of n keeps floor(n (1 - ratio)), as many as the paper's formula (section 4.1).
        """
        keep = np.ones(self.graph.num_bundles, bool)
        share = 1 - Fraction(str(ratio)) if isinstance(ratio, float) else 1 - ratio
        if self.scope == "global":
            candidates = np.flatnonzero(self.free)
            gone = sum(
                self.original[group.name] - len(group.bundles)
                for group in self.graph.groups
                if self.free[group.bundles].any()
            )
            number = len(candidates) - math.floor((len(candidates) + gone) * share)
            order = candidates[np.argsort(self.ranks[candidates], kind="stable")]
            keep[order[: max(0, number)]] = False
        for group in self.graph.groups:
            if self.scope == "global":
                wanted = int(keep[group.bundles].sum())
            else:
                wanted = math.floor(self.original[group.name] * share)
            self._settle(keep, group, self._rounded(wanted, len(group.bundles)))
        return keep

    def _rounded(self, wanted: int, width: int) -> int:
        multiple = self.limits.multiple
        if multiple == 1:
            return wanted
        nearest = max(1, (wanted + multiple // 2) // multiple) * multiple
        return min(width, nearest)

    def _settle(self, keep: Keep, group: Group, wanted: int) -> None:
        """Leave a group its best `wanted` bundles, those that must stay, and each layer's floor."""
        removable = group.bundles[self.free[group.bundles]]
        # Of equals the later goes first, as in the uninformed choice.
        order = removable[::-1][np.argsort(self.scores[removable[::-1]], kind="stable")]
        number = max(0, min(len(group.bundles) - wanted, len(order)))
        keep[group.bundles] = True
        keep[order[:number]] = False
        for path in group.layers:
            labels = self.graph.producers[path].labels
            gone = order[:number][~keep[order[:number]]]
            gone = gone[np.isin(gone, labels)]
            missing = min(self.floors[path], len(labels)) - int(keep[labels].sum())
            if missing > 0:
                copies = len(labels) // len(np.unique(labels))
                keep[gone[::-1][: -(-missing // copies)]] = True

    def smallest(self) -> Keep:
        """Return what is left when all goes that may."""
        return self.plan(LARGEST)


def shrinkable(graph: Graph, limits: Limits) -> dict[str, int]:
    """Return the bundles of each group that may lose some, by the group's first layer."""
    smallest = Planner(graph, np.zeros(graph.num_bundles), limits=limits).smallest()
    return {
        group.name: len(group.bundles)
        for group in graph.groups
        if not smallest[group.bundles].all()
    }


def widths(graph: Graph, keep: npt.NDArray[np.bool_]) -> dict[str, int]:
    """Return how many channels each layer would be left."""
    return {path: int(keep[entry.labels].sum()) for path, entry in graph.producers.items()}
