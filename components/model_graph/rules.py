"""What each layer of Keras does to channels: one rule for each class, and none for its subclasses.

A rule takes the coupling found so far, the call and the axes of each input, and returns the axes of
the output. A layer without a rule is a barrier: nothing that touches it is pruned. To add a layer,
write its rule in a file ``rules_*.py`` and its line here.
"""

from collections.abc import Callable, Sequence
from typing import Any

from keras import layers

from slimderm.components.model_graph.calls import Call, is_operation
from slimderm.components.model_graph.channel_labels import Axes, Coupling, unknown
from slimderm.components.model_graph.custom_rules import custom_rule
from slimderm.components.model_graph.rules_operations import OPERATION_RULES, SPLITTING_RULES
from slimderm.components.model_graph.rules_recurrent import GATES, bidirectional, recurrent
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
    separable,
    transposed,
)

Rule = Callable[[Coupling, Call, Sequence[Axes]], Axes]

RULES: dict[type, Rule] = {
    **dict.fromkeys(IDENTITIES, same),
    layers.Dropout: dropout,
    layers.AlphaDropout: dropout,
    layers.Activation: activation,
    layers.Dense: dense,
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
    **dict.fromkeys(GATES, recurrent),
    layers.Bidirectional: bidirectional,
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


def rule_for(operation: Any) -> Rule:
    """Find the rule of a layer or operation by its very class; `unknown` where there is none."""
    kind = type(operation)
    if is_operation(kind):
        return OPERATION_RULES.get(kind.__name__, unknown)
    return RULES.get(kind) or custom_rule(kind) or unknown


def axes_of_outputs(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> list[Axes]:
    """Ask a call's rule for the axes of each of its outputs."""
    kind = type(call.operation)
    if is_operation(kind) and kind.__name__ in SPLITTING_RULES:
        return SPLITTING_RULES[kind.__name__](coupling, call, inputs)
    rule = rule_for(call.operation) if len(call.outputs) == 1 else unknown
    rest = [(None,) * len(tensor.shape) for tensor in call.outputs[1:]]
    return [rule(coupling, call, inputs), *rest]
