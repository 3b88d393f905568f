"""Which channels go: so many of each group, or all that score below one threshold."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from slimderm.components.common.checks import check_name
from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.channel_labels import Labels
from slimderm.components.model_graph.graph import Graph, Group, Keep
from slimderm.components.pruning.alike import alike
from slimderm.components.pruning.criteria.base import Floats
from slimderm.components.pruning.floors import floors
from slimderm.components.pruning.losses import losses
from slimderm.components.pruning.method import Budget, Limits, Ratio, left_by
from slimderm.components.pruning.names import SCOPES
from slimderm.components.pruning.patterns import named, ratios_by_group

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
        by one threshold; ``isomorphic``: the ratio and a threshold for all groups that are alike,
        as `slimderm.components.pruning.alike.alike` has it.
    comparable : bool
        Whether scores of different groups are of one scale. If not, a plan by threshold divides
        them by their group's mean first.
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
        self.floors = floors(graph, self.limits, self.original)
        self.free = graph.free & ~self._whole()
        self.ranks = self._ranks(comparable)
        self.compared = alike(graph) if scope == "isomorphic" else [list(graph.groups)]
        self.losses = {group.name: self._losses(group, 1) for group in graph.groups}
        self.steps = self.losses
        if (multiple := self.limits.multiple) > 1:
            self.steps = {group.name: self._losses(group, multiple) for group in graph.groups}

    def _whole(self) -> Keep:
        """Mark the coupled channels of layers that are to stay as they are."""
        whole = named(self.graph, self.limits.keep)
        if self.limits.only is not None:
            only = named(self.graph, self.limits.only)
            for group in self.graph.groups:
                if not only[group.coupled].any():
                    whole[group.coupled] = True
        return whole

    def _ranks(self, comparable: bool) -> Floats:
        if self.scope == "local" or comparable:
            return self.scores
        ranks = self.scores.copy()
        for group in self.graph.groups:
            mean = self.scores[group.coupled].mean()
            ranks[group.coupled] /= mean if mean > 0 else 1.0
        return ranks

    def plan(self, ratio: Ratio | Mapping[str, Ratio]) -> Keep:
        """Choose the coupled channels that stay when a ratio of them is to go.

        A group of n keeps floor(n (1 - ratio)), as many as the paper's formula (section 4.1). In
        place of one ratio a mapping gives one for each pattern of layer names, for the scope local,
        as `slimderm.components.pruning.patterns.ratios_by_group` has it.
        """
        if isinstance(ratio, Mapping):
            wanted = self._by_pattern(ratio)
        elif self.scope == "local":
            wanted = {name: self._paper(name, ratio) for name in self.original}
        else:
            wanted = {}
            for groups in self.compared:
                wanted |= self._by_rank(groups, left_by(ratio))
        keep = np.ones(self.graph.num_coupled, bool)
        for group in self.graph.groups:
            order, left = self.steps[group.name]
            target = self._rounded(wanted[group.name], len(group.coupled))
            nearest = left[np.argmin(np.abs(left - target))]  # of two the wider
            keep[order[: len(group.coupled) - nearest]] = False
        return keep

    def _paper(self, group: str, ratio: Ratio) -> int:
        return math.floor(self.original[group] * left_by(ratio))

    def _by_pattern(self, ratios: Mapping[str, Ratio]) -> dict[str, int]:
        if self.scope != "local":
            raise ParameterError(
                f"ratio: received one for each pattern with scope {self.scope}, expected one ratio "
                "for all layers, or scope local"
            )
        found = ratios_by_group(self.graph, ratios)
        return {name: self._paper(name, ratio) for name, ratio in found.items()}

    def _by_rank(self, groups: Sequence[Group], share: Fraction) -> dict[str, int]:
        """Take the least important of all that may go, as many as are to go of all."""
        able = [group for group in groups if self.free[group.coupled].any()]
        once = sum(self.original[group.name] - len(group.coupled) for group in able)
        candidates = sum(int(self.free[group.coupled].sum()) for group in able)
        number = candidates - math.floor((candidates + once) * share)
        orders = (self.losses[group.name][0] for group in able)
        order = np.sort(np.concatenate([np.empty(0, np.int64), *orders]))
        least = order[np.argsort(self.ranks[order], kind="stable")][: max(0, number)]
        goes = np.zeros(self.graph.num_coupled, bool)
        goes[least] = True
        return {group.name: int((~goes[group.coupled]).sum()) for group in groups}

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
