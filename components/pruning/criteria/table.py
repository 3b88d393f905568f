"""All criteria by name: the one list of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slimderm.components.common.checks import look_up
from slimderm.components.pruning.criteria.activation import activation
from slimderm.components.pruning.criteria.apoz import apoz
from slimderm.components.pruning.criteria.bn_scale import bn_scale
from slimderm.components.pruning.criteria.fisher import fisher
from slimderm.components.pruning.criteria.fpgm import fpgm
from slimderm.components.pruning.criteria.l1 import l1
from slimderm.components.pruning.criteria.l2 import l2
from slimderm.components.pruning.criteria.lamp import lamp
from slimderm.components.pruning.criteria.of_function import of_function
from slimderm.components.pruning.criteria.random import random
from slimderm.components.pruning.criteria.taylor import taylor
from slimderm.components.pruning.criteria.thinet import thinet
from slimderm.components.pruning.criteria.uninformed import uninformed

if TYPE_CHECKING:
    from slimderm.components.pruning.criteria.base import Criterion
    from slimderm.components.pruning.criteria.of_function import ScoreFilters


@dataclass(frozen=True)
class CriterionEntry:
    """One criterion.

    Attributes
    ----------
    score : callable
        Yields values for channels, the larger the better to keep.
    needs_data : bool
        Whether it looks at batches of data.
    comparable : bool
        Whether scores of different layers share a scale. If not, a global plan divides them by
        their group's mean first.
    """

    score: Criterion
    needs_data: bool = False
    comparable: bool = False


CRITERIA: dict[str, CriterionEntry] = {
    "l1": CriterionEntry(l1),
    "l2": CriterionEntry(l2),
    "bn_scale": CriterionEntry(bn_scale),
    "fpgm": CriterionEntry(fpgm),
    "lamp": CriterionEntry(lamp, comparable=True),
    "taylor": CriterionEntry(taylor, needs_data=True),
    "fisher": CriterionEntry(fisher, needs_data=True),
    "thinet": CriterionEntry(thinet, needs_data=True, comparable=True),
    "activation": CriterionEntry(activation, needs_data=True),
    "apoz": CriterionEntry(apoz, needs_data=True, comparable=True),
    "random": CriterionEntry(random, comparable=True),
    "uninformed": CriterionEntry(uninformed, comparable=True),
}


def get(criterion: str | ScoreFilters) -> CriterionEntry:
    """Look up a criterion by its name, or make one of a function.

    Raises
    ------
    ParameterError
        For an unknown name; the message lists the known ones.
    """
    if callable(criterion):
        return CriterionEntry(of_function(criterion))
    return look_up("criterion", criterion, CRITERIA)
