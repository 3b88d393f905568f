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
from slimderm.components.model_graph.rules_shape import OPERATION_RULES, SHAPE_RULES
from slimderm.components.model_graph.rules_values import (
    IDENTITIES,
    activation,
    batch_normalization,
    dropout,
    layer_normalization,
    normalization,
    prelu,
    rescaling,
    same,
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
    layers.BatchNormalization: batch_normalization,
    layers.PReLU: prelu,
    layers.LayerNormalization: layer_normalization,
    layers.RMSNormalization: layer_normalization,
    layers.UnitNormalization: layer_normalization,
    layers.GroupNormalization: layer_normalization,
    layers.Softmax: layer_normalization,
    layers.Rescaling: rescaling,
    layers.Normalization: normalization,
    **SHAPE_RULES,
}


def rule_for(operation: Any) -> Rule:
    """Find the rule of a layer or operation by its very class; `unknown` where there is none."""
    kind = type(operation)
    if is_operation(kind):
        return OPERATION_RULES.get(kind.__name__, unknown)
    return RULES.get(kind, unknown)
