"""What layers are called with while batches go through a model."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from slimderm.components.common.errors import ParameterError


@contextmanager
def listening(layers: Sequence[Any], note: Callable[[Any, Any], None]) -> Iterator[None]:
    """Let `note` see what some layers are called with; nested and shared ones, too.

    Parameters
    ----------
    layers : sequence of keras.Layer
        They are as before when the block ends.
    note : callable
        Takes the layer and its inputs, at each call.
    """

    def heard(layer: Any) -> Callable[..., Any]:
        original = layer.call

        def call(inputs: Any, *args: Any, **kwargs: Any) -> Any:
            note(layer, inputs)
            return original(inputs, *args, **kwargs)

        return call

    for layer in layers:
        object.__setattr__(layer, "call", heard(layer))
    try:
        yield
    finally:
        for layer in layers:
            object.__delattr__(layer, "call")


def pairs(batches: Any) -> Iterator[tuple[Any, Any]]:
    """Yield inputs and targets of each batch.

    Raises
    ------
    ParameterError
        When there is no batch, or one that is no pair of inputs and targets.
    """
    expected = "expected batches, each a pair (inputs, targets); one batch is [(inputs, targets)]"
    if not isinstance(batches, Iterable):
        raise ParameterError(f"data: received {type(batches).__name__}, {expected}")
    number = 0
    for batch in batches:
        if not isinstance(batch, tuple | list):
            raise ParameterError(f"data: received {type(batch).__name__} for a batch, {expected}")
        if len(batch) != 2:
            raise ParameterError(f"data: received a batch of {len(batch)} parts, {expected}")
        yield batch[0], batch[1]
        number += 1
    if not number:
        raise ParameterError("data: received no batch, expected at least one")
