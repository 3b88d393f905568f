"""Give a graph that was made for a batch of one size any batch."""

from typing import Any

import keras
from keras import ops
from keras.src.models.functional import Functional

MARK = 1009  # a prime: sizes that are multiples of it are those of the batch
PARTS = 20160  # a batch that is so many times longer can be divided into windows, too


def has_mark(sizes: Any) -> bool:
    """Tell whether one of several sizes is that of the batch."""
    return any(isinstance(size, int) and size > 0 and size % MARK == 0 for size in sizes)


def unmarked(inputs: list[Any], outputs: list[Any], *, name: str) -> Functional:
    """Return a functional model of any batch, of a graph for a batch of `MARK`."""
    fresh = [keras.Input(x.shape[1:], dtype=x.dtype, name=x.name) for x in inputs]
    marked = Functional(inputs, outputs)
    found = marked._run_through_graph(
        fresh, operation_fn=lambda operation: _for_any_batch(operation, fresh[0])
    )
    return Functional(fresh[0] if len(fresh) == 1 else fresh, found, name=name)


def _for_any_batch(operation: Any, beside: Any) -> Any:
    """Return what an operation does, without the size of the batch in its arguments."""
    kind = type(operation).__name__
    if kind == "Reshape" and has_mark(operation.newshape):
        return lambda x: ops.reshape(x, _sizes(operation))
    if kind == "Tile" and has_mark(operation.repeats[:1]):
        return lambda x: ops.tile(_spread(x, beside), (1, *operation.repeats[1:]))
    if kind == "BroadcastTo" and has_mark(operation.shape[:1]):
        return lambda x: _broadcast(x, operation.shape, beside)
    return operation


def _sizes(operation: Any) -> list[int]:
    """Return the sizes of a reshape: what was left open is known beside the batch's."""
    made = operation.output.shape
    said = zip(operation.newshape, made, strict=True)
    return [-1 if has_mark([size]) else old if size is None else size for old, size in said]


def _spread(x: Any, beside: Any) -> Any:
    """Repeat the one sample of a tensor for each of the batch."""
    zeros = ops.sum(ops.zeros_like(beside, dtype=x.dtype), axis=list(range(1, len(beside.shape))))
    return ops.add(x, ops.reshape(zeros, (-1, *[1] * (len(x.shape) - 1))))


def _broadcast(x: Any, shape: Any, beside: Any) -> Any:
    missing = len(shape) - len(x.shape)
    whole = ops.reshape(x, (*[1] * missing, *x.shape)) if missing else x
    return _spread(ops.broadcast_to(whole, (1, *shape[1:])), beside)
