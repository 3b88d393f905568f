"""Measure how long each layer of a model takes, at several widths."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from slimderm.components.model_graph.calls import Call, calls, is_functional, layers_by_path
from slimderm.components.model_graph.cost import Costs
from slimderm.components.model_graph.graph import Graph, Keep
from slimderm.components.model_graph.latency import REPEATS, latency
from slimderm.components.model_graph.multiplications import Multiplications
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.latency_table import LatencyTable
from slimderm.components.pruning.method import Limits, check_ratio
from slimderm.components.pruning.selection import Planner
from slimderm.components.pruning.surgery import remove

RATIOS = (0.25, 0.5, 0.75)


def layer_latencies(
    model: keras.Model,
    *,
    ratios: Sequence[float] = RATIOS,
    limits: Limits | None = None,
    repeats: int = REPEATS,
) -> LatencyTable:
    """Measure how long each layer that multiplies takes on this machine, at several widths.

    Each width is that of the model without a ratio of its channels in all layers. A layer is run by
    itself on zeros, and what a layer that does nothing takes is subtracted. It builds a small model
    for each layer and each width: a minute or two for 50 layers on TensorFlow. Layers with several
    inputs, as attention has, are not measured and count to the rest, which stays the same.

    Parameters
    ----------
    model : keras.Model
        As for `slimderm.components.pruning.pruner.prune`, of fixed input size; it is not changed.
    ratios : sequence of float
        In (0, 1), beside the whole model.
    limits : Limits, optional
        As for `slimderm.components.pruning.pruner.prune`.
    repeats : int
        Measurements of each layer, at least 1; the median counts.

    Returns
    -------
    LatencyTable
        For ``Budget("latency_ms", limit, table)``.

    Raises
    ------
    ParameterError
        For a model whose graph cannot be read or whose input size is undefined, or a ratio outside
        (0, 1).
    """
    for ratio in ratios:
        check_ratio(ratio, name="ratios")
    graph = trace(model)
    planner = Planner(graph, np.zeros(graph.num_coupled), limits=limits)
    points: dict[str, list[tuple[float, float]]] = {}
    whole = latency(graph.model, repeats=repeats)
    keeps = [np.ones(graph.num_coupled, bool), *(planner.plan(ratio) for ratio in ratios)]
    for keep in keeps:
        efforts = efforts_by_layer(graph, keep)
        for path, milliseconds in _measured(remove(graph, keep), set(efforts), repeats):
            points.setdefault(path, []).append((float(efforts[path]), milliseconds))
    rest = whole - sum(found[0][1] for found in points.values())
    return LatencyTable(rest, {path: tuple(found) for path, found in points.items()})


def efforts_by_layer(graph: Graph, keep: Keep) -> dict[str, int]:
    """Count the multiply-accumulates of one input in each layer that has some.

    Raises
    ------
    ParameterError
        When the model's input size is undefined.
    """
    found: dict[str, list[Multiplications]] = {}
    for one in graph.multiplications:
        found.setdefault(one.path, []).append(one)
    return {
        path: Costs(replace(graph, multiplications=tuple(own))).multiply_accumulates(keep)
        for path, own in found.items()
    }


def _measured(model: Any, wanted: set[str], repeats: int) -> Iterator[tuple[str, float]]:
    """Time each wanted layer of a model, as often as it is called."""
    layers = layers_by_path(model)
    called: dict[str, list[Call]] = {}
    for call in _all_calls(model, ""):
        if call.path in wanted and len(call.inputs) == 1:
            called.setdefault(call.path, []).append(call)
    for path, found in called.items():
        tensor = found[0].inputs[0]
        given = keras.Input(batch_shape=(1, *tensor.shape[1:]), dtype=tensor.dtype)
        alone = latency(keras.Model(given, layers[path](given)), repeats=repeats)
        empty = latency(keras.Model(given, keras.layers.Identity()(given)), repeats=repeats)
        yield path, max(alone - empty, 0.0) * len(found)


def _all_calls(model: Any, prefix: str) -> Iterator[Call]:
    for call in calls(model, prefix):
        if is_functional(call.operation):
            yield from _all_calls(call.operation, f"{call.path}/")
        else:
            yield call
