"""Chance: the control."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slimderm.components.pruning.criteria.base import ScoringInputs

if TYPE_CHECKING:
    from slimderm.components.pruning.criteria.base import Values


def random(evidence: ScoringInputs) -> Values:
    """Draw scores from [0, 1) by the seed."""
    coupled = np.arange(evidence.graph.num_coupled)
    yield coupled, np.random.default_rng(evidence.seed).random(len(coupled))
