"""Coupled channels, listed, and taken out by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from slimderm.components.common.checks import check_whole
from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.graph import Graph, Keep
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.pruner import Pruned, report
from slimderm.components.pruning.replay import write_log
from slimderm.components.pruning.surgery import remove


@dataclass(frozen=True)
class CoupledChannels:
    """A set of channels that only go together.

    Attributes
    ----------
    places : dict of str to tuple of int
        Layer to the places of its channels, counted from 0.
    free : bool
        Whether they may go. Others reach an input, an output or a barrier.
    """

    places: dict[str, tuple[int, ...]]
    free: bool

    def __str__(self) -> str:
        said = ", ".join(
            f"{path} {' '.join(map(str, places))}" for path, places in self.places.items()
        )
        return said if self.free else f"{said} (stays)"


def coupled_channels(
    model: keras.Model, layer: str | None = None, *, moving_statistics: bool = False
) -> list[CoupledChannels]:
    """List the channels of a model that only go together.

    Parameters
    ----------
    model : keras.Model
        As for `slimderm.components.pruning.pruner.prune`.
    layer : str, optional
        Path of a layer that makes channels: only sets that hold some of its channels are listed, in
        the order of its channels.
    moving_statistics : bool
        As for `slimderm.components.pruning.pruner.prune`.

    Returns
    -------
    list of CoupledChannels

    Raises
    ------
    ParameterError
        For a model whose graph cannot be read, or a layer that makes no channels.
    """
    graph = trace(model, moving=moving_statistics)
    if layer is not None:
        _check_layer(graph, layer)
    places: list[dict[str, list[int]]] = [{} for _ in range(graph.num_coupled)]
    for path, producer in graph.producers.items():
        for place, label in enumerate(producer.labels.tolist()):
            places[label].setdefault(path, []).append(place)
    wanted = range(graph.num_coupled)
    chosen = wanted if layer is None else dict.fromkeys(graph.producers[layer].labels.tolist())
    return [
        CoupledChannels({path: tuple(own) for path, own in places[label].items()}, bool(free))
        for label, free in ((label, graph.free[label]) for label in chosen)
    ]


def remove_channels(
    model: keras.Model, channels: Mapping[str, Sequence[int]], *, moving_statistics: bool = False
) -> Pruned:
    """Remove channels that are named one by one, and those that go with them.

    Parameters
    ----------
    model : keras.Model
        As for `slimderm.components.pruning.pruner.prune`; it is not changed.
    channels : mapping of str to sequence of int
        Path of a layer that makes channels, to the places of those that go, counted from 0, such as
        ``{"conv1": [0, 3]}``. What is coupled with them goes, too.
    moving_statistics : bool
        As for `slimderm.components.pruning.pruner.prune`.

    Returns
    -------
    Pruned

    Raises
    ------
    ParameterError
        For a model whose graph cannot be read, a layer that makes no channels, a place that it does
        not have, a channel that must stay, or a layer that would keep none.
    """
    if not isinstance(channels, Mapping) or not channels:
        raise ParameterError(
            f"channels: received {channels!r}, expected layers and places, such as "
            "{'conv1': [0, 3]}"
        )
    graph = trace(model, moving=moving_statistics)
    keep = np.ones(graph.num_coupled, bool)
    for path, places in channels.items():
        _take_out(graph, keep, path, places)
    return Pruned(remove(graph, keep), write_log(graph, keep), report(graph, keep))


def _take_out(graph: Graph, keep: Keep, path: str, places: Sequence[int]) -> None:
    _check_layer(graph, path)
    labels = graph.producers[path].labels
    for place in places:
        check_whole("channels", place, least=0, most=len(labels) - 1, where=f" for {path}")
        if not graph.free[labels[place]]:
            raise ParameterError(
                f"channels: received {place} of {path}, which must stay: it reaches an input, an "
                "output or a barrier; expected one that `coupled_channels` calls free"
            )
    keep[labels[list(places)]] = False


def _check_layer(graph: Graph, path: str) -> None:
    if path not in graph.producers:
        raise ParameterError(
            f"layer: received {path!r}, expected one that makes channels: "
            f"{', '.join(graph.producers)}"
        )
