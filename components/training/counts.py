"""Parameters without building a network.

Counting by arithmetic takes microseconds where building takes a second and, at 450x600, a
gigabyte: Figure 2 and the reconciliation table need hundreds of counts.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from slimderm.components.training.networks import get
from slimderm.components.training.networks.network import (
    METADATA_UNITS,
    Network,
    feature_map,
    resolve_widths,
)


class ParameterCount(NamedTuple):
    """Parameters the optimiser moves, and batch normalisation's moving statistics beside them."""

    trainable: int
    moving: int

    @property
    def total(self) -> int:
        """All numbers a saved network holds."""
        return self.trainable + self.moving


def count_parameters(
    name: str,
    *,
    num_classes: int,
    input_shape: tuple[int, int] | tuple[int, int, int] = (200, 100, 3),
    num_metadata: int = 3,
    convolutions: Sequence[int] | None = None,
    dense: Sequence[int] | None = None,
    image_only: bool = False,
) -> ParameterCount:
    """Count the parameters of the network that `build` makes of the same arguments.

    Raises
    ------
    ParameterError
        As `slimderm.components.training.build.build` does.
    """
    network = get(name)
    convolutions, dense = resolve_widths(network, convolutions, dense)
    weights, channels = _convolution_weights(network, convolutions)
    height, width = feature_map(network, *input_shape[:2])
    units = (height * width * convolutions[-1], *dense, *network.tail)
    weights += _dense_weights(units)
    channels += units[-1]  # the features are normalised as well
    joined = units[-1]
    if not image_only:
        weights += _dense_weights((num_metadata, *METADATA_UNITS))
        channels += sum(METADATA_UNITS)
        joined += METADATA_UNITS[-1]
    weights += _dense_weights((joined, network.head, num_classes))
    # Batch normalisation: scale and offset are trained, mean and variance follow the batches.
    return ParameterCount(trainable=weights + 2 * channels, moving=2 * channels)


def _dense_weights(units: Sequence[int]) -> int:
    return sum(before * after + after for before, after in itertools.pairwise(units))


def _convolution_weights(network: Network, convolutions: Sequence[int]) -> tuple[int, int]:
    """Weights with biases of all convolutions, and the channels that are normalised."""
    weights = channels = 0
    incoming = 3
    for stage, filters in zip(network.stages, convolutions[: len(network.stages)], strict=True):
        weights += stage.kernel**2 * incoming * filters + filters
        channels += filters
        incoming = filters
    for filters in convolutions[len(network.stages) :]:
        weights += 9 * incoming * filters + filters + 9 * filters * filters + filters
        channels += 2 * filters
        if incoming != filters:
            weights += incoming * filters + filters
        incoming = filters
    return weights, channels
