"""Prove surgery on a model: set to zero what reads the pruned channels, and compare outputs.

A channel contributes through the weights that read it. With those at zero, the larger model
computes what the smaller one must compute: `deviation` measures the difference. Where channels may
leave a layer's statistics, that layer is told to take them over the channels that stay.
"""

import copy
import math
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from slimderm.components.model_graph.calls import ends, last_operations, layers_by_path, packed
from slimderm.components.model_graph.copies import config_of, copied, remade, settle
from slimderm.components.model_graph.graph import Graph, Keep, kept
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.reading import reading_axes
from slimderm.components.pruning.replay import read_log
from slimderm.components.pruning.surgery import remove

UNKNOWN = 16  # places of an axis whose length is not known


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
            if not keras.backend.is_float_dtype(variable.dtype):  # such as places to look up
                continue
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
    for path, (axis, labels) in graph.moved.items():
        _normalise_over(layers[path], axis, kept(keep, labels))
    settle(silent)
    return silent


def _normalise_over(layer: Any, axis: int, stays: npt.NDArray[np.bool_]) -> None:
    """Let a layer normalise the channels that stay by themselves; what it makes of others is 0."""
    places = np.flatnonzero(stays)
    back = np.where(stays, np.cumsum(stays) - 1, len(places))

    def call(inputs: Any) -> Any:
        alone = keras.ops.take(inputs, places, axis=axis)
        few = type(layer).from_config(layer.get_config())
        few.build(alone.shape)
        for name in ("gamma", "beta", "scale"):
            weight = getattr(layer, name, None)
            if hasattr(weight, "shape"):
                value = np.asarray(keras.ops.convert_to_numpy(weight))
                own = [i for i, size in enumerate(value.shape) if size == len(stays)][-1]
                getattr(few, name).assign(np.compress(stays, value, axis=own))
        found = few(alone)
        nothing = keras.ops.zeros_like(keras.ops.take(found, [0], axis=axis))
        whole = keras.ops.concatenate([found, nothing], axis=axis)
        return keras.ops.take(whole, back, axis=axis)

    layer.call = call


def verify(model: keras.Model, pruned: Any, inputs: Any = None, *, seed: int = 0) -> float:
    """Measure how far a pruned model is from what its surgery promises.

    The model is copied, what reads the pruned channels is set to zero, and the outputs of that copy
    are compared with the pruned model's. Rounding leaves about 1e-6; a fault leaves 1e-2 and more.

    Parameters
    ----------
    model : keras.Model
        The one that was pruned, with the weights from before.
    pruned : Pruned
        What `prune` gave; its model not trained since.
    inputs : array, list or dict, optional
        A batch; drawn from `seed` where not given: numbers from 0 to 1, whole ones where the input
        takes no others, 16 places where a length is not known.
    seed : int

    Returns
    -------
    float
        As `deviation`. Where statistics were allowed to move, layers that normalise do so over the
        channels that stay in both models. Or how far the model is from a copy of what was followed,
        if that is more: layers may be followed by what is inside them, a config may not say all.

    Raises
    ------
    ParameterError
        If `pruned` was not made of such a model.
    """
    graph = trace(model, moving=pruned.log["moving_statistics"])
    keep = read_log(graph, pruned.log)
    if inputs is None:
        draw = np.random.default_rng(seed)
        inputs = packed(model, [_drawn(draw, tensor) for tensor in ends(model)[0]])
    copy_of = copied(graph.model)  # as its config says
    return max(
        _apart(silence(graph, keep), pruned.model, inputs),
        _apart(model, copy_of, inputs),  # and, in place of layers, what was followed
    )


def _drawn(draw: np.random.Generator, tensor: Any) -> npt.NDArray[Any]:
    """Draw a batch of one input: zeros and ones where it takes no fractions, such as of tokens."""
    shape = [size or UNKNOWN for size in (2, *tensor.shape[1:])]
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    values = draw.random(shape) if "float" in dtype else draw.integers(0, 2, shape)
    return values.astype(dtype)


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
    return _apart(silence(graph, keep), remove(graph, keep), inputs)


def _apart(silent: keras.Model, smaller: keras.Model, inputs: Any) -> float:
    expected = keras.tree.flatten(silent(inputs, training=False))
    received = keras.tree.flatten(smaller(inputs, training=False))
    worst = 0.0
    for one, other in zip(expected, received, strict=True):
        first, second = (
            np.asarray(keras.ops.convert_to_numpy(x), np.float64) for x in (one, other)
        )
        found = float(np.abs(first - second).max() / max(first.std(), 1e-12))
        worst = max(worst, found if math.isfinite(found) else math.inf)
    return worst
