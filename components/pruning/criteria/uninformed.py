"""The paper's choice, which looks at nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slimderm.components.pruning.criteria.base import ScoringInputs

if TYPE_CHECKING:
    from slimderm.components.pruning.criteria.base import Values


def uninformed(evidence: ScoringInputs) -> Values:
    """Prefer a group's first channels, whatever their weights."""
    for group in evidence.graph.groups:
        yield group.coupled, np.linspace(1, 0, len(group.coupled), endpoint=False)
