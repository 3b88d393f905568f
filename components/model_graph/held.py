"""Stand-ins for what a followed layer holds, so that Keras can put its calls into a graph.

Layers may give out something beside tensors, such as None for no scores: a graph has no place for
that. Sequences were built for one size, and some layers cannot be made again from their config.
"""

from typing import Any

import keras
from keras.src import backend

TENSOR = object()  # where a tensor is
# What Keras says of such a layer in a graph.
NO_TENSOR = ("All operation outputs must be tensors", "'NoneType' object has no attribute 'shape'")


def held(part: Any) -> Any:
    """Return what stands for a layer that is held, or for each of a list."""
    if isinstance(part, list):
        return [held(each) for each in part]
    if isinstance(part, keras.layers.Identity):  # Keras cannot always make it of its config
        return lambda inputs, **_: inputs
    if isinstance(part, keras.Sequential):
        return _in_turn(part)
    own = isinstance(part, keras.layers.Layer) and not type(part).__module__.startswith("keras.")
    return Held(part) if own else part


def _in_turn(part: Any) -> Any:
    """Call the layers of a sequential model one by one, whatever size it was built for."""

    def call(inputs: Any, training: Any = None) -> Any:
        if training is not None:
            raise ValueError(f"it calls {part.name} with training={training}, which is not kept")
        for layer in part.layers:
            inputs = layer(inputs)
        return inputs

    return call


class Held:
    """Stands for a layer inside one that is followed; may give out what is no tensor."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer
        self._alone: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the layer; return what it does, be there other things beside tensors or not."""
        try:
            return self._layer(*args, **kwargs)
        except (ValueError, AttributeError) as error:  # on PyTorch and JAX: None has no shape
            if not any(words in str(error) for words in NO_TENSOR):
                raise
        self._alone = self._alone or _tensors_alone(self._layer)
        tensors = iter(self._alone(*args, **kwargs))
        return keras.tree.map_structure(
            lambda part: next(tensors) if part is TENSOR else part, self._alone.returned
        )


def _tensors_alone(layer: Any) -> Any:
    """Return a layer of the same class and weights that gives out a list: its tensors alone.

    ``returned`` is the structure of all that the layer gives out itself.
    """
    alone = object.__new__(type(layer))

    def tensors(*args: Any, **kwargs: Any) -> list[Any]:
        returned = layer.call(*args, **kwargs)
        alone.__dict__["returned"] = keras.tree.map_structure(
            lambda part: TENSOR if keras.ops.is_tensor(part) else part, returned
        )
        return [part for part in keras.tree.flatten(returned) if keras.ops.is_tensor(part)]

    def compute_output_spec(*args: Any, **kwargs: Any) -> list[Any]:
        found: list[Any] = backend.compute_output_spec(tensors, *args, **kwargs)
        return found

    alone.__dict__.update(vars(layer))
    alone.__dict__.update(
        _inbound_nodes=[], _outbound_nodes=[], compute_output_spec=compute_output_spec
    )
    return alone


def is_alone(operation: Any) -> bool:
    """Tell whether an operation is a layer without what it gives out beside tensors."""
    return "returned" in vars(operation) and "compute_output_spec" in vars(operation)
