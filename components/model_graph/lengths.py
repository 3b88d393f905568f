"""Lengths that are not known while a call is followed: `keras.ops` takes them as objects.

A layer that counts places in Python, ``ops.arange(ops.shape(x)[1])``, gets a length that is None,
and fails. Here it gets an object, of which a few operations make tensors: places are counted on the
tensor whose length it is. All else that is asked of it, a comparison for one, is an error, so that
nothing is followed that would be different at another length.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any

import keras
from keras import layers, ops

from slimderm.components.model_graph.batch_sizes import has_mark


class Length:
    """How long an axis of a symbolic tensor is."""

    def __init__(self, tensor: Any, axis: int) -> None:
        self.tensor, self.axis = tensor, axis

    @cached_property
    def zeros(self) -> Any:
        """A tensor of so many whole numbers, all 0; the same whatever is in the other axes."""
        others = [axis for axis in range(len(self.tensor.shape)) if axis != self.axis]
        zeros = ops.zeros_like(self.tensor, dtype="int32")
        return ops.sum(zeros, axis=others) if others else zeros

    @cached_property
    def places(self) -> Any:
        """A tensor of so many whole numbers, counted from 0."""
        return ops.subtract(ops.cumsum(ops.add(self.zeros, 1), axis=0), 1)

    def __eq__(self, other: object) -> bool:
        if other is self:
            return True
        raise TypeError("a length that is not known is compared")

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise TypeError("a length that is not known is compared")


@contextmanager
def lengths_as_objects() -> Iterator[None]:
    """Let operations give and take lengths of symbolic tensors that are not known."""
    known = {name: getattr(ops, name) for name in TAKING}
    try:
        for name, function in TAKING.items():
            setattr(ops, name, partial(function, known[name]))
        yield
    finally:
        for name, function in known.items():
            setattr(ops, name, function)


def _shape(known: Callable[..., Any], x: Any) -> Any:
    if not isinstance(x, keras.KerasTensor):
        return known(x)
    return tuple(Length(x, axis) if size is None else size for axis, size in enumerate(x.shape))


def _arange(
    known: Callable[..., Any],
    start: Any,
    stop: Any = None,
    step: Any = None,
    dtype: Any = None,
) -> Any:
    first, last = (0, start) if stop is None else (start, stop)
    if not isinstance(last, Length):
        return known(start, stop, step=step, dtype=dtype)
    if step not in (None, 1) or not isinstance(first, int) or first:
        raise TypeError("places are counted in steps, or not from 0, up to a length")
    return ops.cast(last.places, known(1, dtype=dtype).dtype)


def _filled(known: Callable[..., Any], shape: Any, *args: Any, **kwargs: Any) -> Any:
    """Make a tensor of one value: `zeros`, `ones`, `full`."""
    lengths, sizes = _apart(shape)
    if not lengths:
        return known(shape, *args, **kwargs)
    return _spread(known(sizes, *args, **kwargs), lengths, len(sizes))


def _broadcast_to(known: Callable[..., Any], x: Any, shape: Any) -> Any:
    lengths, sizes = _apart(shape)
    if not lengths:
        return known(x, shape)
    x = _spread(x, lengths, len(sizes))
    target = [own if at in lengths else size for at, (own, size) in _beside(x, sizes)]
    return x if tuple(target) == tuple(x.shape) else known(x, tuple(target))


def _reshape(known: Callable[..., Any], x: Any, newshape: Any) -> Any:
    """Reshape a tensor; a batch beside a length that is not known needs a layer."""
    if not isinstance(x, keras.KerasTensor) or not isinstance(newshape, tuple | list):
        return known(x, newshape)
    lengths, sizes = _apart(newshape)
    batch = has_mark(sizes[:1]) and sizes[0] == x.shape[0]
    if not lengths and not (batch and -1 in sizes and None in x.shape):
        return known(x, newshape)
    if lengths and -1 in sizes:
        sizes[sizes.index(-1)] = _rest(x, lengths, sizes)
    if len(lengths) > 1:
        raise TypeError("a tensor gets a shape with two lengths that are not known")
    for place in lengths:
        sizes[place] = -1
    if not batch:
        return known(x, sizes)
    return layers.Reshape(sizes[1:], dtype=keras.backend.standardize_dtype(x.dtype))(x)


def _rest(x: Any, lengths: dict[int, Length], sizes: list[int]) -> int:
    """Return the size that a reshape leaves open, where it keeps the tensor's own length."""
    kept = [length.tensor is x for length in lengths.values()]
    if kept != [True] or x.shape.count(None) != 1:
        raise TypeError("a tensor gets a shape with two sizes that are not known")
    own: list[int] = [size or 1 for size in x.shape]
    return math.prod(own) // math.prod(size for size in sizes if size != -1)


def _apart(shape: Any) -> tuple[dict[int, Length], list[int]]:
    """Return the lengths in a shape by their places, and the shape with ones there."""
    sizes = list(shape) if isinstance(shape, tuple | list) else [shape]
    lengths = {place: size for place, size in enumerate(sizes) if isinstance(size, Length)}
    return lengths, [1 if place in lengths else size for place, size in enumerate(sizes)]


def _beside(x: Any, sizes: list[int]) -> Iterator[tuple[int, tuple[int | None, int]]]:
    own = [1] * (len(sizes) - len(x.shape)) + list(x.shape)
    return enumerate(zip(own, sizes, strict=True))


def _spread(x: Any, lengths: dict[int, Length], rank: int) -> Any:
    """Spread a tensor over axes of lengths that are not known: zeros are added to it."""
    if not isinstance(x, keras.KerasTensor):
        x = keras.ops.convert_to_numpy(x)  # a constant that can be written into a config
    dtype = keras.backend.standardize_dtype(x.dtype)
    found = ops.cast(x, "int32") if dtype == "bool" else x
    for place, length in lengths.items():
        zeros = ops.reshape(length.zeros, (-1, *[1] * (rank - place - 1)))
        found = ops.add(found, ops.cast(zeros, found.dtype))
    return ops.cast(found, dtype)


TAKING: dict[str, Callable[..., Any]] = {
    "shape": _shape,
    "arange": _arange,
    "zeros": _filled,
    "ones": _filled,
    "full": _filled,
    "broadcast_to": _broadcast_to,
    "reshape": _reshape,
}
