"""The weights of a model in Keras's order, as bits and back."""

import math
from typing import Any

import keras
import ml_dtypes
import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import ParameterError, SlimFileError
from slimderm.components.model_graph.calls import layers_by_path
from slimderm.components.network_compression.codings.base import Bits
from slimderm.components.network_compression.codings.table import get, name_of

LARGEST_VALUE = 8  # bytes


def weights_of(model: Any) -> list[tuple[str, Any]]:
    """List a model's weights in Keras's order, each once, with their paths."""
    paths: dict[int, str] = {}
    for path, layer in layers_by_path(model).items():
        for variable in layer.weights:
            inner = variable.path.rpartition(f"{layer.name}/")[2]
            paths.setdefault(id(variable), f"{path}/{inner}")
    return [(paths[id(variable)], variable) for variable in model.weights]


def check_same(model: Any, again: Any) -> None:
    """Make sure that the model of the architecture takes the same weights in the same order."""
    ours, theirs = (
        [(path, tuple(each.shape), each.dtype) for path, each in weights_of(either)]
        for either in (model, again)
    )
    if ours != theirs:
        odd = sorted({row[0] for row in set(ours) ^ set(theirs)}) or [model.name]
        raise ParameterError(
            f"{', '.join(odd[:3])}: received weights that are not those of the same layer made "
            "again from its config, expected layers as they are when built"
        )


def numpy_dtype(name: str) -> np.dtype[Any]:
    """Return NumPy's dtype for a weight's.

    Raises
    ------
    SlimFileError
        For values that are no numbers, or too large.
    """
    dtype = np.dtype(getattr(ml_dtypes, name, name))
    if dtype.itemsize > LARGEST_VALUE or dtype.kind in "OSUT":
        raise SlimFileError(
            f"received a weight of dtype {name}, expected numbers of at most {LARGEST_VALUE} bytes"
        )
    return dtype


def bits_of(path: str, variable: Any) -> Bits:
    """Return a weight's values as unsigned integers of their size.

    Raises
    ------
    ParameterError
        For values that a file has no place for.
    """
    try:
        dtype = numpy_dtype(variable.dtype)
    except SlimFileError as error:
        raise ParameterError(f"{path}: {error}") from error
    values = np.asarray(keras.ops.convert_to_numpy(variable)).astype(dtype, copy=False)
    return np.ascontiguousarray(values).view(f"u{dtype.itemsize}")


class Decoded:
    """Initialises a weight with what a record holds, or with values that are decoded already."""

    def __init__(
        self,
        path: str,
        variable: Any,
        number: int,
        payload: memoryview,
        values: npt.NDArray[Any] | None = None,
    ) -> None:
        self.path, self.number, self.payload, self.values = path, number, payload, values
        self.count = math.prod(variable.shape)

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """Decode, for a weight of this shape and dtype."""
        try:
            values = self._values(dtype)
        except SlimFileError as error:
            raise SlimFileError(f"{self.path}: {error}") from error
        return keras.ops.convert_to_tensor(values.reshape(shape), dtype=dtype)

    def _values(self, name: str) -> npt.NDArray[Any]:
        if self.values is not None:
            return self.values
        dtype = numpy_dtype(name)
        coding = get(name_of(self.number))
        bits = coding.decode(self.payload, self.count, np.dtype(f"u{dtype.itemsize}"))
        if dtype == np.bool_ and bits.size and bits.max() > 1:
            raise SlimFileError("received a truth value that is neither 0 nor 1")
        return bits.view(dtype)
