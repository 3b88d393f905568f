"""Give a graph that was made for a batch of one size any batch."""

from typing import Any

import keras
import numpy as np
from keras import ops
from keras.src.models.functional import Functional

from slimderm.components.model_graph.calls import is_operation
from slimderm.components.model_graph.open_training import left_open

MARK = 1009  # a prime: sizes that are multiples of it are those of the batch
PARTS = 20160  # a batch that is so many times longer can be divided into windows, too


def has_mark(sizes: Any) -> bool:
    """Tell whether one of several sizes is that of the batch."""
    return any(isinstance(size, int) and size > 0 and size % MARK == 0 for size in sizes)


def unmarked(marked: Functional, *, name: str) -> Functional:
    """Return a functional model of any batch, of one for a batch of `MARK`."""
    inputs = marked.inputs
    fresh = [keras.Input(x.shape[1:], dtype=x.dtype, name=x.name) for x in inputs]
    found = marked._run_through_graph(
        fresh,
        operation_fn=lambda operation: _for_any_batch(operation, fresh[0], inputs[0].shape[0]),
    )
    return Functional(fresh[0] if len(fresh) == 1 else fresh, found, name=name)


def _for_any_batch(operation: Any, beside: Any, batch: int) -> Any:
    """Return what an operation does, without the size of the batch in its arguments."""
    if not is_operation(type(operation)):
        return left_open(operation)
    changed = _changed(operation, beside, batch)

    def call(*args: Any, **kwargs: Any) -> Any:
        found = changed(*args, **kwargs)
        _check_open(operation, found)
        return found

    return call


def _check_open(operation: Any, found: Any) -> None:
    """Refuse what was made for each of the batch, and is for one sample now."""
    pairs = zip(keras.tree.flatten(operation.output), keras.tree.flatten(found), strict=True)
    for marked, made in pairs:
        sizes = zip(marked.shape, made.shape, strict=True)
        if any(has_mark([before]) and after is not None for before, after in sizes):
            raise ValueError(f"it makes a constant for each sample, for {operation.name}")


def _changed(operation: Any, beside: Any, batch: int) -> Any:
    """Return what an operation does, with other arguments where the batch's size is in them."""
    kind = type(operation).__name__
    if kind == "Reshape" and has_mark(operation.newshape):
        return lambda x: ops.reshape(x, _sizes(operation))
    if kind == "Tile" and _first(operation.repeats) == batch:
        return lambda x: _tile(x, operation.repeats, beside)
    if kind == "Repeat" and (operation.axis, operation.repeats) == (0, batch):
        return lambda x: _over_batch(x, beside)
    if kind == "BroadcastTo" and _first(operation.shape) == batch:
        return lambda x: _broadcast(x, operation.shape, beside)
    return operation


def _first(sizes: Any) -> Any:
    return sizes[0] if isinstance(sizes, tuple | list) and sizes else None


def _sizes(operation: Any) -> list[int]:
    """Return the sizes of a reshape: what was left open is known beside the batch's."""
    made = operation.output.shape
    said = zip(operation.newshape, made, strict=True)
    return [-1 if has_mark([size]) else old if size is None else size for old, size in said]


def _over_batch(x: Any, beside: Any) -> Any:
    """Repeat the one sample of a tensor for each of the batch."""
    if x.shape[0] != 1:
        raise ValueError(f"it repeats a tensor of shape {tuple(x.shape)} for each sample")
    zeros = ops.sum(ops.zeros_like(beside, dtype=x.dtype), axis=list(range(1, len(beside.shape))))
    return ops.add(x, ops.reshape(zeros, (-1, *[1] * (len(x.shape) - 1))))


def _tile(x: Any, repeats: Any, beside: Any) -> Any:
    if len(repeats) < len(x.shape):
        raise ValueError("it repeats along another axis as often as there are samples")
    return ops.tile(_over_batch(_raised(x, len(repeats)), beside), (1, *repeats[1:]))


def _broadcast(x: Any, shape: Any, beside: Any) -> Any:
    """Spread axes of length 1, by adding zeros: that is followed, where `broadcast_to` is not."""
    raised = _raised(x, len(shape))
    spread = [size if own == 1 else 1 for own, size in zip(raised.shape, shape, strict=True)]
    zeros = np.zeros((1, *spread[1:]), keras.backend.standardize_dtype(x.dtype))
    whole = ops.add(raised, zeros) if zeros.size > 1 else raised
    return whole if raised.shape[0] is None else _over_batch(whole, beside)


def _raised(x: Any, rank: int) -> Any:
    """Put axes of length 1 before those of a tensor."""
    missing = rank - len(x.shape)
    return ops.reshape(x, (*[1] * missing, *x.shape)) if missing > 0 else x
