"""What every criterion takes and gives back, and what several of them compute."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from slimderm.components.model_graph.channel_labels import Labels, Producer
    from slimderm.components.model_graph.graph import Graph

Floats = npt.NDArray[np.float64]
Batches = Iterable[tuple[Any, Any]]  # inputs and one-hot targets
ROWS = 512  # of a kernel at a time: a copy of this size stays in the cache


@dataclass(frozen=True)
class ScoringInputs:
    """What criteria look at: the model's graph, and data where they need it."""

    graph: Graph
    batches: Batches | None = None
    loss: Any = "categorical_crossentropy"
    seed: int = 0


if TYPE_CHECKING:
    Values = Iterator[tuple[Labels, Floats]]  # for places of a layer: coupled channels, values
    Criterion = Callable[[ScoringInputs], Values]


def filter_matrix(producer: Producer) -> npt.NDArray[Any]:
    """Lay a layer's filters out as rows, (F, D)."""
    from slimderm.components.pruning.surgery import read

    kernel = read(producer.variable)
    return np.moveaxis(kernel, producer.axis, 0).reshape(kernel.shape[producer.axis], -1)


def filter_sums(producer: Producer, of: Callable[[Any], Any]) -> Floats:
    """Sum a function of the weights over each filter, (F,), a few rows at a time."""
    from slimderm.components.pruning.surgery import read

    kernel = read(producer.variable)
    if producer.axis != kernel.ndim - 1:
        kernel = np.moveaxis(kernel, producer.axis, -1)
    rows = kernel.reshape(-1, kernel.shape[-1])  # (D, F)
    total = np.zeros(rows.shape[1])
    for start in range(0, len(rows), ROWS):
        total += of(rows[start : start + ROWS]).sum(0)
    return total
