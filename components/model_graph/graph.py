"""The dependency graph of a model: which channels are coupled, and what holds weights for them.

Coupled channels only go together: a filter of one convolution, say, and one of another whose output
is added to the first's. Each set of coupled channels has a number. Sets in the same layers form a
*group*; its layers shrink together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from slimderm.components.model_graph.channel_labels import Labels, Place, Producer, Size, Slot
from slimderm.components.model_graph.multiplications import Multiplications

Keep = npt.NDArray[np.bool_]  # for each set of coupled channels: whether it stays


@dataclass(frozen=True)
class Barrier:
    """A layer that keeps channels from being pruned: how many coupled sets, and why."""

    path: str
    reason: str
    num_coupled: int


@dataclass(frozen=True)
class Group:
    """Layers that shrink together.

    ``coupled`` holds the numbers of their sets of coupled channels, in the order of the first
    layer's channels; ``free`` tells which may go.
    """

    layers: tuple[str, ...]
    coupled: npt.NDArray[np.int64]
    free: npt.NDArray[np.bool_]

    @property
    def name(self) -> str:
        """The first layer's path."""
        return self.layers[0]


@dataclass(frozen=True)
class Graph:
    """A model's coupled channels and everything that pruning them changes.

    All labels are numbers of sets of coupled channels, or `FIXED`. ``free`` tells which sets may
    go, ``moving`` whether they may leave layers that have statistics over channels, and ``moved``
    holds axis and labels of such layers by their paths.
    """

    model: Any
    free: Keep
    slots: tuple[Slot, ...]
    sizes: tuple[Size, ...]
    values: tuple[Size, ...]
    arguments: tuple[tuple[str, Place, Labels], ...]
    producers: dict[str, Producer]
    multiplications: tuple[Multiplications, ...]
    barriers: tuple[Barrier, ...]
    groups: tuple[Group, ...]
    moving: bool = False
    moved: Mapping[str, tuple[int, Labels]] = field(default_factory=dict)

    @property
    def num_coupled(self) -> int:
        """How many sets of coupled channels there are."""
        return len(self.free)

    @cached_property
    def slots_of(self) -> dict[int, list[Slot]]:
        """Slots by the id of their variable."""
        found: dict[int, list[Slot]] = {}
        for slot in self.slots:
            found.setdefault(id(slot.variable), []).append(slot)
        return found


def kept(keep: Keep, labels: Labels) -> npt.NDArray[np.bool_]:
    """Tell for each place along an axis whether it stays; fixed places do."""
    stays: npt.NDArray[np.bool_] = np.append(keep, True)[labels]  # FIXED is the last
    return stays
