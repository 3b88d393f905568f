"""Prove surgery on a model: set to zero what reads the pruned channels, and compare outputs.

A channel contributes through the weights that read it. With those at zero, the larger model
computes what the smaller one must compute: `deviation` measures the difference.
"""

import copy
import math
from typing import Any

import keras
import numpy as np

from slimderm.components.model_graph.calls import last_operations, layers_by_path
from slimderm.components.model_graph.copies import config_of, copied, remade, settle
from slimderm.components.model_graph.graph import Graph, Keep, kept
from slimderm.components.pruning.surgery import remove


def randomise(model: keras.Model, *, seed: int) -> None:
    """Give a model random weights and random statistics of its normalisations, of moderate size.

    Fresh biases are all zero and fresh statistics all 0 or 1: an error in their order would change
    no output, so `deviation` would miss it.

    Parameters
    ----------
    model : keras.Model
        Changed in place.
    seed : int
        Of the draw.
    """
    random = np.random.default_rng(seed)
    for layer in layers_by_path(model).values():
        for variable in layer.weights:
            shape = tuple(variable.shape)
            name = variable.path.rsplit("/", 1)[-1]
            if name in ("gamma", "moving_variance", "variance"):
                value = random.uniform(0.5, 1.5, shape)
            elif len(shape) < 2:
                value = random.normal(0, 0.1, shape)
            else:
                spread = np.sqrt(2 / max(1, np.prod(shape[:-1])))
                value = random.normal(0, spread, shape)
            variable.assign(value)
    settle(model)


def without_softmax(model: keras.Model) -> keras.Model:
    """Return a copy whose last layers give their sums, not the probabilities made of them."""
    config = copy.deepcopy(config_of(model))
    last = {operation.name for operation in last_operations(model)}
    for entry in config["layers"]:
        if entry["config"].get("name") in last and "activation" in entry["config"]:
            entry["config"]["activation"] = "linear"
    bare: keras.Model = copied(model, config)
    return bare


def silence(graph: Graph, keep: Keep) -> keras.Model:
    """Return a copy of the model in which nothing reads the channels that are not kept."""
    silent = remade(graph.model)
    layers = layers_by_path(silent)
    for path, layer in layers_by_path(graph.model).items():
        for variable, target in zip(layer.weights, layers[path].weights, strict=True):
            value = np.array(keras.ops.convert_to_numpy(variable))
            for slot in graph.slots_of.get(id(variable), ()):
                if slot.axis in reading_axes(layer, variable):
                    gone = [slice(None)] * value.ndim
                    gone[slot.axis] = ~kept(keep, slot.labels)  # type: ignore[call-overload]
                    value[tuple(gone)] = 0
            target.assign(value)
    settle(silent)
    return silent


def reading_axes(layer: Any, variable: Any) -> tuple[int, ...]:
    """Return the axis along which a weight reads channels, nothing for weights that read none."""
    shape = tuple(variable.shape)
    rank = len(shape)
    if variable is getattr(layer, "pointwise_kernel", None):
        return (rank - 2,)
    if variable is not getattr(layer, "kernel", None) or rank < 2:
        return ()
    kind = type(layer).__name__
    if kind == "Dense":
        return (0,)
    if kind.startswith("Depthwise") or (getattr(layer, "groups", 1) > 1 and shape[-2] == 1):
        return ()  # makes of every channel its own
    return (rank - 1,) if "Transpose" in kind else (rank - 2,)


def deviation(graph: Graph, keep: Keep, inputs: Any) -> float:
    """Measure how far the smaller model is from the silenced one.

    Parameters
    ----------
    graph : Graph
        Of a model whose outputs are sums, see `without_softmax`.
    keep : bool array
        The coupled channels that stay.
    inputs : array, list or dict
        A batch.

    Returns
    -------
    float
        Largest difference of any output, relative to the outputs' standard deviation; infinite
        where one is no number.
    """
    expected = keras.tree.flatten(silence(graph, keep)(inputs, training=False))
    received = keras.tree.flatten(remove(graph, keep)(inputs, training=False))
    worst = 0.0
    for one, other in zip(expected, received, strict=True):
        first, second = (
            np.asarray(keras.ops.convert_to_numpy(x), np.float64) for x in (one, other)
        )
        found = float(np.abs(first - second).max() / max(first.std(), 1e-12))
        worst = max(worst, found if math.isfinite(found) else math.inf)
    return worst
