"""Layers of libraries that are the same as one of Keras's own, which takes their place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from slimderm.components.model_graph.calls import Call
from slimderm.components.model_graph.channel_labels import Axes, Coupling, unknown


@dataclass(frozen=True)
class Standard:
    """The rule of a layer in whose place one of Keras's own computes the same.

    ``make`` returns that one, built, of the layer's name, with its weights.
    """

    make: Callable[[Any], Any]

    def __call__(self, coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
        """Be a barrier where nothing could take its place: inside a wrapper."""
        reason = f"{type(call.operation).__name__} stands inside a wrapper"
        return unknown(coupling, call, inputs, reason)


def rms_normalization(layer: Any, *, scale: str = "scale", offset: float = 0) -> Any:
    """Return Keras's layer that divides by the root of the mean square of the last axis.

    Parameters
    ----------
    layer : keras.layers.Layer
        With an ``epsilon`` that is added to the mean square.
    scale : str
        Its weight that multiplies the channels.
    offset : float
        What the layer adds to that weight before.
    """
    weight = getattr(layer, scale)
    found = keras.layers.RMSNormalization(
        epsilon=layer.epsilon,
        dtype=layer.dtype_policy,
        name=layer.name,
        trainable=layer.trainable,
    )
    found.build((None, *weight.shape))
    found.scale.assign(keras.ops.convert_to_numpy(weight) + offset)
    return found
