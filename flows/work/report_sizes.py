"""A page of its own for what is counted of networks and no training changes."""

from collections.abc import Mapping

import pandas as pd

from slimderm.components.reporting.page import Section


def size_sections(frames: Mapping[str, pd.DataFrame]) -> list[Section]:
    """Lay out how large the paper's networks are, and how fast pruning shrinks them."""
    if frames["growth"].empty:
        said = "params.yaml lists none of the paper's networks, so nothing is counted."
        return [Section("Sizes", (said,))]
    return [
        Section(
            "Parameters against iteration",
            ("The paper's figure 2: how fast parameters fall, by which convolutions shrink.",),
            frames["growth"],
            {
                "plots/growth.png": "parameters in millions against the pruning iteration, a panel "
                "a network and set of convolutions, a line a factor, falling ever more slowly"
            },
        ),
        Section(
            "Sizes at the paper's input sizes",
            ("Parameters, operations and megabytes of each network, and of its halves.",),
            frames["sizes"],
        ),
    ]
