"""Follow calls with training left open, so that layers stand out that are told what it is.

A functional model tells all of its layers whether it is trained, also one that its code has told
otherwise, such as a normalisation whose statistics are frozen.
"""

from collections.abc import Callable, Iterator
from typing import Any

import keras

from slimderm.components.model_graph.calls import calls, is_operation


class _Open(int):
    """What training is where nobody says; Keras would note a layer's default in its place.

    A number, and false: on JAX Keras hands others to layers inside as arrays.
    """


OPEN = _Open()


def with_training_open(function: Callable[[], Any]) -> Any:
    """Call a function such that layers which it calls take training from outside: `OPEN`."""
    found: list[Any] = []

    class Outside(keras.layers.Layer):  # type: ignore[misc]
        """What is called while a layer's output is asked for takes its arguments."""

        def call(self, beside: Any, training: Any = None) -> Any:
            return beside

        def compute_output_spec(self, beside: Any, training: Any = None) -> Any:
            try:
                found.append(function())
            except Exception as error:  # Keras would write of this layer into its message
                found.append(error)
            return keras.KerasTensor(beside.shape, beside.dtype)

    Outside(dtype="float32")(keras.KerasTensor((1,), "float32"), training=OPEN)
    (made,) = found
    if isinstance(made, Exception):
        raise made
    return made


def told(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield the names of layers that a followed call tells about training, and what."""
    for call in calls(model):
        training = call.arguments.kwargs.get("training", OPEN)
        said = training is not None and training is not OPEN
        if said and not is_operation(type(call.operation)):
            yield call.operation.name, training


def left_open(operation: Any) -> Callable[..., Any]:
    """Return an operation that is called without `OPEN`."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return operation(*args, **{key: part for key, part in kwargs.items() if part is not OPEN})

    return call
