"""A layer's own weights and constants as symbolic tensors: what is followed can hang on them."""

import math
from typing import Any

import keras
from keras import ops

SUMS = (keras.regularizers.L1, keras.regularizers.L2, keras.regularizers.L1L2)


def constant_as_tensor(values: Any, beside: Any) -> Any:
    """Return a symbolic tensor of constant whole numbers: it hangs on one, whatever its values."""
    zero = ops.sum(ops.zeros_like(beside, dtype=values.dtype))
    found = ops.add(ops.convert_to_numpy(values), zero)
    dtype = keras.backend.standardize_dtype(values.dtype)
    return found if found.dtype == dtype else ops.cast(found, dtype)


def weight_as_tensor(layer: Any, variable: Any, name: str, beside: Any) -> Any:
    """Return a symbolic tensor with a weight's values, of the type that the layer computes in.

    An embedding holds them, and they are trained, penalised and constrained there as before. Whole
    numbers, which nothing trains, are a constant.
    """
    if not keras.backend.is_float_dtype(variable.dtype):
        return constant_as_tensor(variable, beside)
    _check_shape(variable, name)
    *places, width = tuple(variable.shape) or (1, 1)  # a single number is the one place of one
    embedding = keras.layers.Embedding(
        math.prod(places),
        width,
        embeddings_regularizer=variable.regularizer,
        embeddings_constraint=variable.constraint,
        dtype=variable.dtype,
        name=name,
        trainable=variable.trainable,
    )
    embedding.build(())
    embedding.embeddings.assign(ops.reshape(variable, (-1, width)))
    indices = ops.reshape(ops.arange(math.prod(places), dtype="int32"), places)
    found = embedding(constant_as_tensor(indices, beside))
    return cast(layer, found if len(variable.shape) else ops.reshape(found, ()))


def _check_shape(variable: Any, name: str) -> None:
    """Refuse what looks at the axes of a weight where those of the embedding are others."""
    if len(variable.shape) == 2:
        return
    if type(variable.regularizer) not in (type(None), *SUMS):
        raise ValueError(f"the regularizer of {name} may look at axes")
    if type(variable.constraint) not in (type(None), keras.constraints.NonNeg):
        raise ValueError(f"the constraint of {name} may look at axes")


def cast(layer: Any, tensor: Any) -> Any:
    """Cast a tensor as Keras does before it calls a layer."""
    if not isinstance(tensor, keras.KerasTensor) or not layer.autocast:
        return tensor
    floating = keras.backend.is_float_dtype(tensor.dtype)
    if not floating or tensor.dtype == layer.compute_dtype:
        return tensor
    return ops.cast(tensor, layer.compute_dtype)
