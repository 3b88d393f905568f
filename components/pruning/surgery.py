"""Take channels out of a model: the result is a plain Keras model of standard layers.

The smaller model is built from the larger one's own config, with fewer filters and units, and given
the weights that are left. The log of what went is JSON, and does the same again.
"""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import layers_by_path
from slimderm.components.model_graph.channel_labels import Place
from slimderm.components.model_graph.copies import (
    calls_by_path,
    check_settings,
    config_of,
    configs_by_path,
    remade,
    settle,
)
from slimderm.components.model_graph.graph import Graph, Keep, kept

ROWS = 64  # of a matrix at a time


def remove(graph: Graph, keep: Keep) -> keras.Model:
    """Build the model without the coupled channels that are not kept.

    Parameters
    ----------
    graph : Graph
        Of the model, which is not changed.
    keep : bool array of shape (graph.num_coupled,)
        Whether each set of coupled channels stays.

    Returns
    -------
    keras.Model
        Of the same kind, with the same names; not compiled.

    Raises
    ------
    ParameterError
        When channels that must stay are to go, or a layer would have no channel left.
    """
    _check(graph, keep)
    config = config_of(graph.model)
    entries = configs_by_path(graph.model, config)
    for size in graph.sizes:
        assert size.labels is not None
        _set(entries[size.path], size.key, size.index, int(kept(keep, size.labels).sum()))
    of_calls = calls_by_path(graph.model, config)
    for path, place, labels in graph.arguments:
        (call,) = of_calls[path]
        of_calls[path][0] = _put(call, place, int(kept(keep, labels).sum()))
    for entry in graph.values:
        assert entry.labels is not None
        given = np.asarray(entries[entry.path][entry.key])
        left = given.reshape(-1)[kept(keep, entry.labels)]
        entries[entry.path][entry.key] = left.reshape(*given.shape[:-1], -1).tolist()
    for path, layer in layers_by_path(graph.model).items():
        _slice_constants(graph, keep, layer, entries[path])
    # Inside this scope Keras puts off drawing random weights, and then makes each weight once, of
    # what is left of the old one.
    with keras.StatelessScope():
        smaller = remade(graph.model, config)
        _fill(graph, keep, smaller)
    settle(smaller)
    return smaller


def _check(graph: Graph, keep: Keep) -> None:
    if keep.shape != graph.free.shape or keep.dtype != np.bool_:
        raise ParameterError(
            f"keep: received {keep.dtype} {keep.shape}, expected bool {graph.free.shape}"
        )
    for path, producer in graph.producers.items():
        gone = ~keep[producer.labels]
        if (gone & ~graph.free[producer.labels]).any():
            raise ParameterError(
                f"{path}: received a plan that removes channels which must stay; see the "
                "barriers in the report"
            )
        if gone.all():
            raise ParameterError(f"{path}: received a plan that removes every channel, keep one")


def _set(config: dict[str, Any], key: str, index: int | None, value: int) -> None:
    if index is None:
        config[key] = value
    else:
        sizes = list(config[key])
        sizes[index] = value
        config[key] = sizes


def _put(part: Any, place: Place, value: int) -> Any:
    """Return a part of a config with one number changed."""
    if not place:
        return value
    key: Any = place[0]
    changed = dict(part) if isinstance(part, dict) else list(part)
    changed[key] = _put(part[key], place[1:], value)
    return changed


def _slice_constants(graph: Graph, keep: Keep, layer: Any, config: dict[str, Any]) -> None:
    """Slice the arrays that a layer's weights start from as the weights themselves."""
    for key in config:
        stem = key.removesuffix("_initializer")
        initializer: Any = getattr(layer, key, None) if stem != key else None
        if type(initializer) is not keras.initializers.Constant or not np.ndim(initializer.value):
            continue
        value = initializer.value
        variable: Any = getattr(layer, stem, getattr(layer, f"{stem}_kernel", None))
        left = np.array(keras.ops.convert_to_numpy(value))
        missing = len(variable.shape) - left.ndim  # the value is spread over leading axes
        for slot in graph.slots_of.get(id(variable), ()):
            axis = slot.axis - missing
            if axis >= 0 and left.shape[axis] == len(slot.labels) > 1:
                left = np.compress(kept(keep, slot.labels), left, axis=axis)
        sliced_value: Any = keras.initializers.Constant(
            left.tolist() if isinstance(value, list) else left
        )
        config[key] = keras.initializers.serialize(sliced_value)


def _fill(graph: Graph, keep: Keep, smaller: keras.Model) -> None:
    old, new = layers_by_path(graph.model), layers_by_path(smaller)
    sized = {size.path for size in graph.sizes}
    for path, layer in old.items():
        if path not in new:
            raise ParameterError(
                f"{path}: received a {type(layer).__name__} that has another name when Keras makes "
                "it of its config, expected the same; let its __init__ hand its name on"
            )
        if len(layer.weights) != len(new[path].weights):
            raise ParameterError(
                f"{path}: received a {type(layer).__name__} of {len(layer.weights)} weights that "
                f"has {len(new[path].weights)} when Keras makes it of its config, expected as "
                "many; let its get_config say all its arguments"
            )
        if path not in sized:
            check_settings(path, layer, new[path])
        for variable, target in zip(layer.weights, new[path].weights, strict=True):
            target._initializer = _Left(graph, keep, variable)


class _Left:
    """Initialises a weight with what is left of another."""

    def __init__(self, graph: Graph, keep: Keep, variable: Any) -> None:
        self.arguments = (graph, keep, variable)

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return keras.ops.convert_to_tensor(sliced(*self.arguments), dtype=dtype)


def sliced(graph: Graph, keep: Keep, variable: Any) -> npt.NDArray[Any]:
    """Return what is left of one weight, in memory of its own."""
    value = read(variable)
    places_of = {}
    for slot in graph.slots_of.get(id(variable), ()):
        stays = kept(keep, slot.labels)
        if not stays.all():
            places_of[slot.axis] = np.flatnonzero(stays)
    if not places_of:
        return value.copy()
    if len(places_of) == value.ndim == 2:
        return _rows_and_columns(value, places_of[0], places_of[1])
    for axis, places in sorted(places_of.items()):
        value = np.take(value, places, axis=axis)
    return value


def _rows_and_columns(
    matrix: npt.NDArray[Any], rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]
) -> npt.NDArray[Any]:
    """Take rows and columns, a few rows at a time: what is between stays in the cache."""
    taken = np.empty((len(rows), len(columns)), matrix.dtype)
    for start in range(0, len(rows), ROWS):
        few = matrix[rows[start : start + ROWS]]
        np.take(few, columns, axis=1, out=taken[start : start + ROWS], mode="clip")
    return taken


def read(variable: Any) -> npt.NDArray[Any]:
    """Return a weight's values without a copy, where the backend can; not to be written to."""
    try:
        return np.from_dlpack(keras.ops.stop_gradient(variable))
    except (TypeError, RuntimeError, BufferError, AttributeError):
        return np.asarray(keras.ops.convert_to_numpy(variable))
