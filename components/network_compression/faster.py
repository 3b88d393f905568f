"""Whether a chain of layers is faster than the layer that it would replace, measured."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import layers_by_path
from slimderm.components.model_graph.latency import latency
from slimderm.components.network_compression.ranks import Ranks
from slimderm.components.network_compression.replaceable import largest_input
from slimderm.components.network_compression.rewrite import Chain

ROUNDS = 3  # of the two by turns; the fastest counts, since other work only slows down


class Times(NamedTuple):
    """Milliseconds for one input, on this machine."""

    layer: float
    chain: float

    @property
    def faster(self) -> bool:
        """Whether the chain is."""
        return self.chain < self.layer

    def __str__(self) -> str:
        return f"{self.layer:.2f} ms to {self.chain:.2f} ms"


def check_faster(faster_only: bool, ranks: Ranks) -> None:
    """Refuse a budget whose layers may stay whole for being faster so.

    Raises
    ------
    ParameterError
        For both.
    """
    if faster_only and ranks.budget is not None:
        raise ParameterError(
            "faster_only: received it with a budget, expected one of the two: a layer that stays "
            "because it is faster may break the budget; give rank, energy or evbmf"
        )


def times(model: keras.Model, path: str, chain: Chain) -> Times:
    """Measure a layer and a chain at the layer's input size.

    Parameters
    ----------
    model : keras.Model
        With the layer; it is not changed.
    path : str
        Of the layer.
    chain : Chain
        Its layers are copied; weights do not matter.

    Raises
    ------
    ParameterError
        When the input's size is undefined.
    """
    shape = largest_input(model, path)[1:]
    whole = _alone(shape, [layers_by_path(model)[path]])
    parts = _alone(shape, [layer for layer, _ in chain])
    rounds = [(latency(whole), latency(parts)) for _ in range(ROUNDS)]
    return Times(*(min(column) for column in zip(*rounds, strict=True)))


def _alone(shape: tuple[int | None, ...], layers: Sequence[Any]) -> keras.Model:
    copies = [type(layer).from_config(layer.get_config()) for layer in layers]
    return keras.Sequential([keras.Input(shape), *copies])
