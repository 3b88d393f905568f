"""Make a functional or sequential model again with some layers replaced by chains of layers."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from slimderm.components.model_graph.calls import calls, ends, graph_of, is_functional, packed
from slimderm.components.model_graph.copies import copied

# Layers to be called one after the other, and the weights of each.
Chain = Sequence[tuple[keras.Layer, Sequence[Any]]]


def rewrite(model: keras.Model, chains: Mapping[str, Chain]) -> keras.Model:
    """Replace layers by chains of layers; all others keep their names and weights.

    Parameters
    ----------
    model : keras.Model
        Functional or sequential, built; it is not changed.
    chains : mapping
        The path of a layer, as `slimderm.components.model_graph.calls.layers_by_path` has it, to
        what replaces it at each of its calls.

    Returns
    -------
    keras.Model
        Of the same kind, not compiled.
    """
    copy = copied(model)
    made: Any = _rewritten(copy, dict(chains), "")
    for chain in chains.values():
        for layer, weights in chain:
            layer.set_weights(list(weights))
    return made


def _rewritten(model: Any, chains: Mapping[str, Chain], prefix: str) -> Any:
    if not any(path.startswith(prefix) for path in chains):
        return model
    if isinstance(model, keras.Sequential):
        return _sequential(model, chains, prefix)
    first, last = ends(model)
    new = {
        id(tensor): keras.Input(
            batch_shape=tensor.shape,
            dtype=tensor.dtype,
            sparse=tensor.sparse,
            name=tensor._keras_history.operation.name,
        )
        for tensor in first
    }
    inputs = [new[id(tensor)] for tensor in first]
    nested: dict[int, Any] = {}
    for call in calls(model, prefix):
        if not call.inputs and all(id(tensor) in new for tensor in call.outputs):
            continue
        args, kwargs = call.arguments.fill_in(new)
        outputs = _called(call, chains, nested, args, kwargs)
        for old, tensor in zip(call.outputs, keras.tree.flatten(outputs), strict=True):
            new[id(old)] = tensor
    graph = graph_of(model)
    assert graph is not None
    outputs = keras.tree.pack_sequence_as(graph._outputs_struct, [new[id(end)] for end in last])
    return keras.Model(packed(model, inputs), outputs, name=model.name)


def _called(
    call: Any, chains: Mapping[str, Chain], nested: dict[int, Any], args: Any, kw: Any
) -> Any:
    if call.path in chains:
        value = args[0] if args else kw["inputs"]
        for layer, _ in chains[call.path]:
            value = layer(value)
        return value
    operation = call.operation
    if is_functional(operation):
        if id(operation) not in nested:
            nested[id(operation)] = _rewritten(operation, chains, f"{call.path}/")
        operation = nested[id(operation)]
    return operation(*args, **kw)


def _sequential(model: Any, chains: Mapping[str, Chain], prefix: str) -> Any:
    layers: list[Any] = []
    for layer in model.layers:
        path = prefix + layer.name
        if path in chains:
            layers += [replacing for replacing, _ in chains[path]]
        else:
            layers.append(_rewritten(layer, chains, f"{path}/") if is_functional(layer) else layer)
    made = keras.Sequential(layers, name=model.name)
    if not made.built:
        made.build(model.input_shape)
    return made
