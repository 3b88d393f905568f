"""Counting the parameters of every network along every pruning path; nothing is trained."""

from functools import partial

import pandas as pd

from slimderm.components.pruning.growth import path_table
from slimderm.components.pruning.widths import FACTORS, Widths, shrink_widths
from slimderm.components.training.counts import count_parameters
from slimderm.components.training.networks import get
from slimderm.components.training.sizes import size_table
from slimderm.flows.config.choice import input_size
from slimderm.flows.config.params import Params


def parameters_along_paths(params: Params) -> pd.DataFrame:
    """Count parameters at the chosen input size, a row a network, factor and iteration."""
    shape = (*input_size().shape, 3)

    def count(network: str, widths: Widths) -> int:
        return count_parameters(
            network,
            num_classes=params.ingest.num_classes,
            input_shape=shape,
            convolutions=widths.convolutions,
            dense=widths.dense,
        ).total

    known = {name: get(name) for name in params.counted_networks}
    starts = {name: Widths(each.convolutions, each.dense) for name, each in known.items()}
    return path_table(starts, {name: partial(count, name) for name in starts}, FACTORS)


def sizes_at_paper_inputs(params: Params) -> pd.DataFrame:
    """Give each network's size, and that of its halves, at the paper's input sizes."""
    return size_table(params.counted_networks, num_classes=params.ingest.num_classes, halve=halve)


def halve(widths: tuple[int, ...]) -> tuple[int, ...]:
    """Shrink widths by one iteration of 50 %."""
    return shrink_widths(Widths(widths, ()), 50).convolutions
