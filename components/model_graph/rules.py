"""What each layer of Keras does to channels: one rule for each class, and none for its subclasses.

A rule takes the coupling found so far, the call and the axes of each input, and returns the axes of
the output. A layer without a rule is a barrier: nothing that touches it is pruned. To add a layer,
write its rule in a file ``rules_*.py`` and its line here.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
from keras import layers

from slimderm.components.model_graph.calls import Call, is_operation
from slimderm.components.model_graph.channel_labels import Axes, Coupling, Effort, Rule, unknown
from slimderm.components.model_graph.composite import Composite
from slimderm.components.model_graph.custom_rules import custom_rule, lambda_layer
from slimderm.components.model_graph.rules_attention import attention, grouped_query_attention
from slimderm.components.model_graph.rules_einsum import einsum_dense
from slimderm.components.model_graph.rules_operations import OPERATION_RULES, SPLITTING_RULES
from slimderm.components.model_graph.rules_recurrent import (
    CONVOLUTIONS,
    GATES,
    bidirectional,
    convolutional,
    recurrent,
)
from slimderm.components.model_graph.rules_shape import SHAPE_RULES, window
from slimderm.components.model_graph.rules_values import (
    IDENTITIES,
    activation,
    batch_normalization,
    dropout,
    group_normalization,
    layer_normalization,
    normalization,
    prelu,
    rescaling,
    same,
    softmax,
)
from slimderm.components.model_graph.rules_weights import (
    convolution,
    dense,
    depthwise,
    embedding,
    reversible_embedding,
    separable,
    transposed,
)

RULES: dict[type, Rule] = {
    **dict.fromkeys(IDENTITIES, same),
    layers.Dropout: dropout,
    layers.AlphaDropout: dropout,
    layers.Activation: activation,
    layers.Lambda: lambda_layer,
    layers.Dense: dense,
    layers.EinsumDense: einsum_dense,
    layers.Embedding: embedding,
    layers.Conv1D: convolution,
    layers.Conv2D: convolution,
    layers.Conv3D: convolution,
    layers.Conv1DTranspose: transposed,
    layers.Conv2DTranspose: transposed,
    layers.Conv3DTranspose: transposed,
    layers.DepthwiseConv1D: depthwise,
    layers.DepthwiseConv2D: depthwise,
    layers.SeparableConv1D: separable,
    layers.SeparableConv2D: separable,
    layers.MultiHeadAttention: attention,
    layers.GroupQueryAttention: grouped_query_attention,
    **dict.fromkeys(GATES, recurrent),
    layers.Bidirectional: bidirectional,
    **dict.fromkeys(CONVOLUTIONS, convolutional),
    layers.BatchNormalization: batch_normalization,
    layers.PReLU: prelu,
    layers.LayerNormalization: layer_normalization,
    layers.RMSNormalization: layer_normalization,
    layers.UnitNormalization: layer_normalization,
    layers.GroupNormalization: group_normalization,
    layers.Softmax: softmax,
    layers.Rescaling: rescaling,
    layers.Resizing: window,
    layers.Normalization: normalization,
    **SHAPE_RULES,
}
if hasattr(layers, "ReversibleEmbedding"):  # older Keras has none
    RULES[layers.ReversibleEmbedding] = reversible_embedding


def time_distributed(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Ask the rule of the layer inside, which sees one step."""
    (axes,), inner = inputs, call.operation.layer
    coupling.barrier(call.path, "works along steps", axes[1])
    ends = [
        keras.KerasTensor((tensor.shape[0], *tensor.shape[2:]), tensor.dtype)
        for tensor in (call.inputs[0], call.outputs[0])
    ]
    step = Call(inner, f"{call.path}/{inner.name}", (ends[0],), (ends[1],), call.arguments)
    made = rule_for(inner)(coupling, step, [(axes[0], *axes[2:])])
    for effort in coupling.efforts.pop(id(ends[1]), []):
        tensor = call.inputs[0] if effort.tensor is ends[0] else call.outputs[0]
        places = (1, *(axis + 1 for axis in effort.axes))
        found = Effort(effort.variable, tensor, places, effort.along)
        coupling.efforts.setdefault(id(call.outputs[0]), []).append(found)
    return (made[0], None, *made[1:])


def spectral_normalization(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Ask the rule of the layer inside; a vector has a number for each channel that it makes."""
    inner = call.operation.layer
    path = f"{call.path}/{inner.name}"
    made = rule_for(inner)(coupling, replace(call, operation=inner, path=path), inputs)
    known = coupling.producers.get(path)
    coupling.hold(call.operation, call.operation.vector_u, 1, known.labels if known else None)
    return made


def rule_for(operation: Any) -> Rule:
    """Find the rule of a layer or operation by its very class; `unknown` where there is none."""
    kind = type(operation)
    if is_operation(kind):
        return OPERATION_RULES.get(kind.__name__, unknown)
    return RULES.get(kind) or custom_rule(kind) or unknown


# Layers that hold another, whose rule they ask.
RULES |= {
    layers.TimeDistributed: time_distributed,
    layers.SpectralNormalization: spectral_normalization,
}


def axes_of_outputs(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> list[Axes]:
    """Ask a call's rule for the axes of each of its outputs."""
    kind = type(call.operation)
    if is_operation(kind) and kind.__name__ in SPLITTING_RULES:
        return SPLITTING_RULES[kind.__name__](coupling, call, inputs)
    rule = rule_for(call.operation)
    if len(call.outputs) > 1 and not isinstance(rule, Composite):
        rule = unknown
    rest = [(None,) * len(tensor.shape) for tensor in call.outputs[1:]]
    if is_operation(kind):
        return [rule(coupling, call, inputs), *rest]
    return [_of_layer(rule, coupling, call, inputs), *rest]


def _of_layer(rule: Rule, coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Ask a layer's rule; be a barrier for channels in place of the batch that it does not pass.

    Rules of layers look at the axes behind the batch. A weight that is followed has none.
    """
    before = len(coupling.barriers)
    made = rule(coupling, call, inputs)
    said = [labels for _, _, labels in coupling.barriers[before:]]
    for axes in inputs:
        first = axes[0] if axes else None
        if first is not None and not any(first is labels for labels in (*made[:1], *said)):
            reason = f"{type(call.operation).__name__} has channels in place of samples"
            coupling.barrier(call.path, reason, first)
    return made
