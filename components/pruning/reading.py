"""Along which axes weights read channels: what reads a channel at zero makes nothing of it."""

from collections.abc import Callable
from typing import Any

import keras

from slimderm.components.model_graph import rules_attention, rules_einsum, rules_weights
from slimderm.components.model_graph.rules import rule_for
from slimderm.components.model_graph.rules_recurrent import cells

BY_RULE: dict[Any, Callable[[Any, Any], tuple[int, ...]]] = {
    rules_attention.attention: rules_attention.reading_axes,
    rules_attention.grouped_query_attention: rules_attention.reading_axes,
    rules_einsum.einsum_dense: rules_einsum.reading_axes,
    rules_weights.reversible_embedding: rules_weights.reading_axes,
}


def reading_axes(layer: Any, variable: Any) -> tuple[int, ...]:
    """Return the axes along which a weight reads channels, nothing for weights that read none."""
    if type(layer) in (keras.layers.TimeDistributed, keras.layers.SpectralNormalization):
        layer = layer.layer
    if (found := BY_RULE.get(rule_for(layer))) is not None:
        return found(layer, variable)
    shape = tuple(variable.shape)
    rank = len(shape)
    if any(
        variable is each for cell in cells(layer) for each in (cell.kernel, cell.recurrent_kernel)
    ):
        return (rank - 2,)
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
