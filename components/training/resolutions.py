"""What each network costs at each input size (paper, section 3), by arithmetic alone."""

import itertools
from collections.abc import Sequence

import pandas as pd

from slimderm.components.training.counts import count_parameters
from slimderm.components.training.networks import get
from slimderm.components.training.networks.network import (
    METADATA_UNITS,
    convolved_size,
    feature_map,
    pooled_size,
)

BYTES = 4  # float32
MEGA = 1e6
COLUMNS = [
    "network", "height", "width", "pixels", "parameters", "weights_mb", "multiply_accumulates",
]  # fmt: skip


def unpruned_multiply_accumulates(
    name: str, size: tuple[int, int], *, num_classes: int, num_metadata: int = 3
) -> int:
    """Count the multiply-accumulates of one image through an unpruned network.

    As `slimderm.components.model_graph.cost.multiply_accumulates` counts them in a built model.

    Raises
    ------
    ParameterError
        If there is no such network, or the image is too small for it.
    """
    network = get(name)
    feature_map(network, *size)
    total, incoming = 0, 3
    for stage in network.stages:
        height, width = convolved_size(stage, *size)
        total += height * width * stage.kernel**2 * incoming * stage.filters
        size, incoming = pooled_size(network, stage, height, width), stage.filters
    positions = size[0] * size[1]
    for filters in network.blocks:
        total += positions * 9 * filters * (incoming + filters)
        total += positions * incoming * filters if incoming != filters else 0
        incoming = filters
    joined = (*network.dense, *network.tail)[-1] + METADATA_UNITS[-1]
    chains = (
        (positions * incoming, *network.dense, *network.tail),
        (num_metadata, *METADATA_UNITS),
        (joined, network.head, num_classes),
    )
    return total + sum(a * b for chain in chains for a, b in itertools.pairwise(chain))


def resolution_table(
    networks: Sequence[str], sizes: Sequence[Sequence[int]], *, num_classes: int
) -> pd.DataFrame:
    """Give the size and cost of each network at each input size.

    Parameters
    ----------
    networks : sequence of str
        Keys of `slimderm.components.training.networks.NETWORKS`.
    sizes : sequence of (height, width)
        Pixels.
    num_classes : int
        Units of the softmax.

    Returns
    -------
    DataFrame
        Columns network, height, width, pixels, parameters, weights_mb (float32, 10^6 bytes),
        multiply_accumulates.
    """
    rows = []
    for name, (height, width) in itertools.product(networks, sizes):
        count = count_parameters(name, num_classes=num_classes, input_shape=(height, width)).total
        cost = unpruned_multiply_accumulates(name, (height, width), num_classes=num_classes)
        row = {"network": name, "height": height, "width": width, "pixels": height * width}
        row |= {"parameters": count, "weights_mb": BYTES * count / MEGA}
        rows.append(row | {"multiply_accumulates": cost})
    return pd.DataFrame(rows, columns=COLUMNS)
