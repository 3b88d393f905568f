"""Which layers of a model a pass may replace, and the model with others in their place."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras

from slimderm.components.model_graph.calls import Call, Shape, calls, is_functional, layers_by_path
from slimderm.components.model_graph.outputs import has_kernel
from slimderm.components.network_compression.passes import Compressed, Means, chosen, compared
from slimderm.components.network_compression.reparametrised import KINDS, has_plain_kernel
from slimderm.components.network_compression.rewrite import Chain, rewrite


def replaceable(
    model: keras.Model, kinds: Sequence[type], layers: Sequence[str] | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Find the layers of some kinds, in the order of their calls.

    Parameters
    ----------
    model : keras.Model
        Functional or sequential, built.
    kinds : sequence of type
        Classes of layers; subclasses of them do not count.
    layers : sequence of str, optional
        Patterns of paths; all where not given.

    Returns
    -------
    dict, dict
        Path to layer, and path to the reason why a layer is left alone.
    """
    known = layers_by_path(model)
    called = dict.fromkeys(call.path for call in _all_calls(model))
    found = chosen([path for path in called if type(known.get(path)) in kinds], layers)
    plain = {path: known[path] for path in found if has_plain_kernel(known[path])}
    return plain, {path: "it is quantised or has LoRA" for path in found if path not in plain}


def with_plain_kernels(
    model: keras.Model, layers: Sequence[str] | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Find dense layers and convolutions, as `replaceable`, and name other layers with a kernel."""
    found, left = replaceable(model, KINDS, layers)
    others = {
        path: f"a {type(layer).__name__} has no plain kernel"
        for path, layer in layers_by_path(model).items()
        if layers is None and type(layer) not in KINDS and has_kernel(layer)
    }
    return found, left | others


def replaced(
    model: keras.Model,
    chains: Mapping[str, Chain],
    changed: Mapping[str, str],
    left: Mapping[str, str],
    means: Means,
) -> Compressed:
    """Put chains of layers in the place of layers, and train the model that results."""
    after = rewrite(model, chains)
    means.train(after)
    return compared(model, after, changed, left)


def largest_input(model: keras.Model, path: str) -> Shape:
    """Return the shape, the batch first, of the largest tensor that a layer is called with."""
    shapes = [tuple(tensor.shape) for tensor in inputs_of(model)[path]]
    return max(shapes, key=lambda shape: [size or 0 for size in shape])


def inputs_of(model: keras.Model) -> dict[str, list[Any]]:
    """List the symbolic tensors that each layer is called with, call by call, by its path."""
    found: dict[str, list[Any]] = {}
    for call in _all_calls(model):
        if call.inputs:  # not the model's own inputs
            found.setdefault(call.path, []).append(call.inputs[0])
    return found


def _all_calls(model: Any, prefix: str = "") -> Iterator[Call]:
    """Yield the calls of layers, those in nested models in their place."""
    for call in calls(model, prefix):
        if is_functional(call.operation):
            yield from _all_calls(call.operation, f"{call.path}/")
        elif isinstance(call.operation, keras.layers.Layer):
            yield call
