"""What a layer of a user's own may be said to do to channels, by the names of `register_rule`."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from slimderm.components.model_graph.calls import Call
from slimderm.components.model_graph.channel_labels import (
    Axes,
    Coupling,
    Rule,
    channel_axis,
    only,
    placed,
    unknown,
)
from slimderm.components.model_graph.composite import Composite
from slimderm.components.model_graph.rules_shape import merge
from slimderm.components.model_graph.rules_values import same


def _by_value(rule: Rule, coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Ask a rule of layers that treat every value by itself: weights are single numbers."""
    for weight in call.operation.weights:
        if np.prod(weight.shape) != 1:
            return unknown(coupling, call, inputs, f"a weight of shape {tuple(weight.shape)}")
    return rule(coupling, call, inputs)


def channelwise(
    coupling: Coupling,
    call: Call,
    inputs: Sequence[Axes],
    *,
    sizes: Sequence[str] = (),
    axis_of_weights: int | None = None,
) -> Axes:
    """Every channel by itself; each weight has one axis as long as there are channels.

    Which one can be said by ``axis_of_weights``.
    """
    layer, axes = call.operation, inputs[0]
    axis = channel_axis(layer, len(axes))
    width = call.inputs[0].shape[axis]
    along = {}
    for weight in layer.weights:
        fits = [index for index, size in enumerate(weight.shape) if size == width]
        if axis_of_weights is not None and axis_of_weights % len(weight.shape) in fits:
            fits = [axis_of_weights % len(weight.shape)]
        if np.prod(weight.shape) != 1 and len(fits) != 1:
            return unknown(coupling, call, inputs, f"a weight of shape {tuple(weight.shape)}")
        along[id(weight)] = fits
    labels = only(coupling, call, axes, axis)
    for weight in layer.weights:
        for index in along[id(weight)]:
            coupling.hold(layer, weight, index, labels)
    for key in sizes:
        coupling.size(call.path, key, labels)
    return placed(axes, axis, labels)


def along_last(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Ask `channelwise` of a layer whose ``axis`` is the last one."""
    axis, rank = call.operation.axis, len(inputs[0])
    if [index % rank for index in ([axis] if isinstance(axis, int) else axis)] != [rank - 1]:
        return unknown(coupling, call, inputs, f"axis {axis}, which is not the last alone")
    return channelwise(coupling, call, inputs)


KINDS: dict[str, Callable[..., Axes]] = {
    "elementwise": partial(_by_value, same),
    "channelwise": channelwise,
    "merging": partial(_by_value, merge),
    "composite": Composite(),
}
