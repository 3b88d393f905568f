"""Rules for layers that are not Keras's own: what their users say, and what well-known ones do.

::

    register_rule(DropPath, "elementwise")
    register_rule(LayerScale, "channelwise", sizes=["dim"])
    register_rule(scaled_tanh, "elementwise")  # a function, of a Lambda layer or as an activation
"""

from collections.abc import Callable, Sequence
from functools import partial
from types import FunctionType
from typing import Any

import keras

from slimderm.components.common.checks import look_up
from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import Call
from slimderm.components.model_graph.channel_labels import Axes, Coupling, Rule, unknown
from slimderm.components.model_graph.kinds import KINDS, channelwise
from slimderm.components.model_graph.known_layers import KNOWN
from slimderm.components.model_graph.rules_values import ELEMENTWISE, is_elementwise

_registered: dict[type, Rule] = {}


def lambda_layer(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Every value by itself, if its function has been registered as such a one."""
    layer = call.operation
    if layer.arguments or not is_elementwise(layer.function):
        return unknown(coupling, call, inputs)
    if isinstance(shape := layer.get_config().get("output_shape"), tuple | list):
        for index, (size, labels) in enumerate(zip(shape, inputs[0][1:], strict=True)):
            if size is not None:
                coupling.size(call.path, "output_shape", labels, index)
    return inputs[0]


def register_rule(
    kind: type | Callable[..., Any], rule: str | Rule, *, sizes: Sequence[str] = ()
) -> None:
    """Say what layers of a class do to channels, so that pruning follows them.

    Parameters
    ----------
    kind : type or callable
        A class of layers of your own; subclasses need a line of their own. Or a function that
        treats every value by itself: `Lambda` layers of it, and layers that have it as their
        activation, are followed. For a model that was read from a file this is
        ``model.get_layer(name).function``, which Keras makes anew each time.
    rule : str or callable
        ``elementwise``: the layer treats every value by itself. ``channelwise``: every channel by
        itself, along the last axis (the second where its ``data_format`` is ``channels_first``);
        each of its weights is one number or has one axis as long as there are channels.
        ``merging``: it adds or multiplies its inputs, place by place. ``composite``: it is followed
        by the layers and operations that its call is made of, which become a model in its place;
        the call must do the same in training. Or a rule as
        `slimderm.components.model_graph.rules` has them.
    sizes : sequence of str
        For ``channelwise``: entries of the layer's ``get_config`` that count channels.

    Raises
    ------
    ParameterError
        For what is neither a class of layers nor a function, a class of Keras, an unknown rule, a
        function with another rule than ``elementwise``, or sizes beside another rule than
        ``channelwise``.

    Examples
    --------
    >>> register_rule(DropPath, "elementwise")
    >>> register_rule(LayerScale, "channelwise", sizes=["dim"])
    >>> register_rule(TransformerBlock, "composite")
    """
    if isinstance(kind, FunctionType):
        if rule != "elementwise" or sizes:
            raise ParameterError(
                f"rule: received {rule!r} for the function {kind.__name__}, expected elementwise, "
                "without sizes"
            )
        ELEMENTWISE.add(kind)
        return
    if not (isinstance(kind, type) and issubclass(kind, keras.layers.Layer)):
        raise ParameterError(
            f"kind: received {kind!r}, expected a class of Keras layers or a function"
        )
    if kind.__module__.startswith("keras.src.layers."):
        raise ParameterError(
            f"kind: received Keras's own {kind.__name__}, whose rule is known, expected a class of "
            "your own"
        )
    found: Callable[..., Axes] = rule if callable(rule) else look_up("rule", rule, KINDS)
    if sizes and found is not channelwise:
        raise ParameterError(
            f"sizes: received {list(sizes)} beside the rule {rule!r}, expected them beside "
            "channelwise alone"
        )
    _registered[kind] = partial(found, sizes=tuple(sizes)) if sizes else found


def custom_rule(kind: type) -> Rule | None:
    """Return the rule of a class that is not Keras's own; None where nobody has said one."""
    return _registered.get(kind) or KNOWN.get(f"{kind.__module__}.{kind.__name__}")
