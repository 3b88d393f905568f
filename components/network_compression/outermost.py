"""The first and the last layers of a model: they read its inputs, or make its outputs."""

from typing import Any

import keras

from slimderm.components.model_graph.calls import calls, ends, flat_inputs, is_functional

Paths = frozenset[str]
_INPUT: Paths = frozenset({""})  # stands for the model's own inputs


def outermost(model: keras.Model) -> set[str]:
    """Find the layers that no other layer with a kernel stands before, or behind.

    A layer that reads an input of the model beside other layers is a first one, too. Layers without
    kernels, such as normalisation, count neither way.

    Returns
    -------
    set of str
        Their paths, of whatever kind they are.
    """
    first: set[str] = set()
    last = _follow(model, "", [_INPUT for _ in ends(model)[0]], first)
    return first.union(*last) - _INPUT


def _follow(model: Any, prefix: str, given: list[Paths], first: set[str]) -> list[Paths]:
    """Return which layers with kernels stand right before each output; note the first ones."""
    inputs, outputs = ends(model)
    before = {id(tensor): paths for tensor, paths in zip(inputs, given, strict=True)}
    for call in calls(model, prefix):
        if not call.inputs:
            continue
        if is_functional(call.operation):
            parts = [before[id(tensor)] for tensor in flat_inputs(call)]
            made = _follow(call.operation, f"{call.path}/", parts, first)
        else:
            found = frozenset().union(*(before[id(tensor)] for tensor in call.inputs))
            if _has_kernel(call.operation):
                first |= {call.path} if found >= _INPUT else set()
                found = frozenset({call.path})
            made = [found] * len(call.outputs)
        before |= {id(tensor): paths for tensor, paths in zip(call.outputs, made, strict=True)}
    return [before[id(tensor)] for tensor in outputs]


def _has_kernel(operation: Any) -> bool:
    return any(len(weight.shape) > 1 for weight in getattr(operation, "weights", ()))
