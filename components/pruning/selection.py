"""Which channels go: so many of each group, or all that score below one threshold."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from slimderm.components.common.checks import check_name
from slimderm.components.model_graph.channel_labels import Labels
from slimderm.components.model_graph.graph import Graph, Group, Keep
from slimderm.components.pruning.criteria.base import Floats
from slimderm.components.pruning.losses import losses, touched_by_layer
from slimderm.components.pruning.method import Budget, Limits, matching
from slimderm.components.pruning.names import SCOPES

LARGEST = Fraction(999_999, 1_000_000)


class Planner:
    """Turns scores and a ratio into the coupled channels that stay.

    Parameters
    ----------
    graph : Graph
        The model's.
    scores : float64 array of shape (graph.num_coupled,)
        Importance, larger is better.
    scope : str
        ``local``: the ratio of every group; ``global``: the ratio of all coupled channels together,
        by one threshold.
    comparable : bool
        Whether scores of different groups are of one scale. If not, a global plan divides them by
        their group's mean first.
    limits : Limits
        What must stay.
    original : mapping, optional
        Group to the coupled channels it once had: a ratio then counts from these.

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
        check_name("scope", scope, SCOPES)
        self.graph, self.scores, self.scope = graph, scores, scope
        self.limits = limits or Limits()
        self.original = {
            group.name: (original or {}).get(group.name, len(group.coupled))
            for group in graph.groups
        }
        self.floors = self._floors()
        self.free = graph.free & ~self._whole()
        self.ranks = self._ranks(comparable)
        self.losses = {group.name: self._losses(group, 1) for group in graph.groups}
        self.steps = self.losses
        if (multiple := self.limits.multiple) > 1:
            self.steps = {group.name: self._losses(group, multiple) for group in graph.groups}

    def _whole(self) -> Keep:
        """Mark the coupled channels of layers that are to stay as they are."""
        whole = self._named(self.limits.keep)
        if self.limits.only is not None:
            named = self._named(self.limits.only)
            for group in self.graph.groups:
                if not named[group.coupled].any():
                    whole[group.coupled] = True
        return whole

    def _named(self, patterns: Sequence[str]) -> Keep:
        """Mark the coupled channels of the layers that patterns name."""
        named = np.zeros(self.graph.num_coupled, bool)
        touched = touched_by_layer(self.graph) if patterns else {}
        kind = "layer that makes channels or holds weights for them"
        for pattern in patterns:
            for path in matching(touched, pattern, kind):
                named[touched[path]] = True
        return named

    def _floors(self) -> dict[str, int]:
        floors, multiple = dict.fromkeys(self.graph.producers, 1), self.limits.multiple
        for pattern, floor in self.limits.floors.items():
            for path in matching(self.graph.producers, pattern, "layer with channels of its own"):
                floors[path] = -(-floor // multiple) * multiple
        return floors

    def _ranks(self, comparable: bool) -> Floats:
        if self.scope == "local" or comparable:
            return self.scores
        ranks = self.scores.copy()
        for group in self.graph.groups:
            mean = self.scores[group.coupled].mean()
            ranks[group.coupled] /= mean if mean > 0 else 1.0
        return ranks

    def plan(self, ratio: float | Fraction) -> Keep:
        """Choose the coupled channels that stay when a ratio of them is to go.

        A group of n keeps floor(n (1 - ratio)), as many as the paper's formula (section 4.1).
        """
        share = 1 - Fraction(str(ratio)) if isinstance(ratio, float) else 1 - ratio
        wanted = self._by_rank(share) if self.scope == "global" else self._by_group(share)
        keep = np.ones(self.graph.num_coupled, bool)
        for group in self.graph.groups:
            order, left = self.steps[group.name]
            target = self._rounded(wanted[group.name], len(group.coupled))
            nearest = left[np.argmin(np.abs(left - target))]  # of two the wider
            keep[order[: len(group.coupled) - nearest]] = False
        return keep

    def _by_group(self, share: Fraction) -> dict[str, int]:
        return {name: math.floor(number * share) for name, number in self.original.items()}

    def _by_rank(self, share: Fraction) -> dict[str, int]:
        """Take the least important of all that may go, as many as are to go of all."""
        gone = sum(
            self.original[group.name] - len(group.coupled)
            for group in self.graph.groups
            if self.free[group.coupled].any()
        )
        candidates = int(self.free.sum())
        number = candidates - math.floor((candidates + gone) * share)
        able = np.sort(
            np.concatenate([np.empty(0, np.int64), *(o for o, _ in self.losses.values())])
        )
        least = able[np.argsort(self.ranks[able], kind="stable")][: max(0, number)]
        goes = np.zeros(self.graph.num_coupled, bool)
        goes[least] = True
        return {group.name: int((~goes[group.coupled]).sum()) for group in self.graph.groups}

    def _rounded(self, wanted: int, width: int) -> int:
        multiple = self.limits.multiple
        if multiple == 1:
            return wanted
        nearest = max(1, (wanted + multiple // 2) // multiple) * multiple
        return min(width, nearest)

    def _losses(self, group: Group, multiple: int) -> tuple[Labels, Labels]:
        return losses(
            self.graph, group, self.scores, self.free, floors=self.floors, multiple=multiple
        )

    def smallest(self) -> Keep:
        """Return what is left when all goes that may."""
        return self.plan(LARGEST)


def why_nothing(planner: Planner, budget: Budget | None) -> str:
    """Return why a plan takes nothing away, the strongest reason first."""
    if not planner.graph.free.any():
        return "all channels reach an input, an output or a barrier"
    if not planner.free.any():
        return "the limits keep all channels that could go"
    if planner.smallest().all():
        return "floors and the multiple leave no layer a channel to lose"
    if budget is not None:
        return "the model meets the budget as it is"
    if planner.limits.multiple > 1:
        return f"widths rounded to a multiple of {planner.limits.multiple} are those of before"
    return "as much is gone already, counted from the original widths"


def shrinkable(graph: Graph, limits: Limits) -> dict[str, int]:
    """Count the coupled channels of each group that may lose some, by its first layer."""
    smallest = Planner(graph, np.zeros(graph.num_coupled), limits=limits).smallest()
    return {
        group.name: len(group.coupled)
        for group in graph.groups
        if not smallest[group.coupled].all()
    }


def widths(graph: Graph, keep: npt.NDArray[np.bool_]) -> dict[str, int]:
    """Return how many channels each layer would be left."""
    return {path: int(keep[entry.labels].sum()) for path, entry in graph.producers.items()}
