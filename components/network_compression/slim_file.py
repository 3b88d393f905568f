"""The file `.slim`: a network in as few bytes as its weights allow, read back bit for bit.

Every weight is written by the smallest coding of `codings.table`. A file holds no code, no names of
weights, no optimizer. Its layout is written down in ``docs/slim-file.md``.
"""

import math
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import ml_dtypes
import numpy as np

from slimderm.components.common.errors import ParameterError, SlimFileError
from slimderm.components.model_graph.calls import layers_by_path
from slimderm.components.model_graph.copies import settle
from slimderm.components.network_compression.codings.base import Bits
from slimderm.components.network_compression.codings.table import get, name_of, smallest
from slimderm.components.network_compression.slim_architecture import (
    build,
    read_architecture,
    write_architecture,
)
from slimderm.components.network_compression.slim_container import (
    Container,
    read_container,
    write_container,
)

MAX_PARAMETERS = 250_000_000
_LARGEST_VALUE = 8  # bytes


@dataclass(frozen=True)
class Weight:
    """One weight in a file: its place in the model, and what it takes.

    Attributes
    ----------
    path : str
        Layer, behind the models that it is nested in, and weight, joined by ``/``.
    shape : tuple of int
    dtype : str
    coding : str
        A name of `codings.table.CODINGS`.
    num_bytes : int
        Without the two to six bytes that say coding and length.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str
    coding: str
    num_bytes: int

    @property
    def num_values(self) -> int:
        """How many values it has."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Contents:
    """What a file holds, and what each part takes.

    Attributes
    ----------
    name : str
        Of the model.
    weights : tuple of Weight
    architecture_bytes : int
        Of the packed JSON.
    total_bytes : int
        Of the file.
    """

    name: str
    weights: tuple[Weight, ...]
    architecture_bytes: int
    total_bytes: int

    @property
    def num_parameters(self) -> int:
        """How many values all weights have."""
        return sum(weight.num_values for weight in self.weights)

    @property
    def frame_bytes(self) -> int:
        """What magic, lengths, codings' numbers and checksum take."""
        payload = sum(weight.num_bytes for weight in self.weights)
        return self.total_bytes - self.architecture_bytes - payload


def pack(model: keras.Model) -> bytes:
    """Write a model as the bytes of a `.slim` file.

    Parameters
    ----------
    model : keras.Model
        Functional or sequential, built, of Keras's own layers. Weights of any dtype up to eight
        bytes. It is not changed.

    Raises
    ------
    ParameterError
        For a model that such a file cannot hold; the message names the layer and the reason.
    """
    text = write_architecture(model)
    try:
        again = build(read_architecture(text, np.iinfo(np.int64).max))
    except SlimFileError as error:
        raise ParameterError(
            f"model: received {model.name!r}, which cannot be made again ({error})"
        ) from error
    _check_same(model, again)
    written = (smallest(_bits(path, variable)) for path, variable in _weights(model))
    return write_container(text, ((get(name).number, data) for name, data in written))


def unpack(data: bytes, *, max_parameters: int = MAX_PARAMETERS) -> keras.Model:
    """Read a model from the bytes of a `.slim` file.

    Parameters
    ----------
    data : bytes
        As `pack` gives them; they need not be trusted.
    max_parameters : int
        What the weights may have together, from 1. It bounds the memory.

    Returns
    -------
    keras.Model
        Not compiled; its weights are those that were packed, bit for bit.

    Raises
    ------
    SlimFileError
        For bytes that are no such file, damaged, of a later version, or of a larger network.
    """
    container, document = _read(data, max_parameters)

    def fill(model: Any, made: list[Any]) -> None:
        weights = _checked(model, made, container, max_parameters)
        for (path, variable), record in zip(weights, container.records, strict=True):
            variable._initializer = _Decoded(path, variable, *record)

    model: keras.Model = build(document, fill)
    settle(model)
    return model


def inspect(data: bytes, *, max_parameters: int = MAX_PARAMETERS) -> Contents:
    """List what the bytes of a `.slim` file hold; no weight is decoded.

    Raises
    ------
    SlimFileError
        As `unpack` does, but for damage inside a weight.
    """
    container, document = _read(data, max_parameters)
    model = build(document)
    weights = _checked(
        model, [variable for _, variable in _weights(model)], container, max_parameters
    )
    found = tuple(
        Weight(path, tuple(variable.shape), variable.dtype, name_of(number), len(payload))
        for (path, variable), (number, payload) in zip(weights, container.records, strict=True)
    )
    return Contents(model.name, found, container.architecture_bytes, len(data))


def save(model: keras.Model, path: Path | str) -> None:
    """Write a model as a `.slim` file, which appears whole or not at all.

    Raises
    ------
    ParameterError
        For a model that such a file cannot hold; the message names the layer and the reason.
    """
    path = Path(path)
    data = pack(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(".draft", f".{path.name}.", path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        Path(draft).chmod(0o644)
        Path(draft).replace(path)
    finally:
        Path(draft).unlink(missing_ok=True)


def load(path: Path | str, *, max_parameters: int = MAX_PARAMETERS) -> keras.Model:
    """Read a model from a `.slim` file, which need not be trusted.

    Raises
    ------
    SlimFileError
        For what is no such file, damaged, of a later version, or of a larger network.
    """
    return unpack(Path(path).read_bytes(), max_parameters=max_parameters)


def _read(data: bytes, max_parameters: int) -> tuple[Container, dict[str, Any]]:
    if not isinstance(max_parameters, int) or max_parameters < 1:
        raise ParameterError(
            f"max_parameters: received {max_parameters!r}, expected a whole number from 1"
        )
    container = read_container(data)
    return container, read_architecture(container.architecture, max_parameters)


def _weights(model: Any) -> list[tuple[str, Any]]:
    """List a model's weights in Keras's order, each once, with their paths."""
    paths: dict[int, str] = {}
    for path, layer in layers_by_path(model).items():
        for variable in layer.weights:
            inner = variable.path.rpartition(f"{layer.name}/")[2]
            paths.setdefault(id(variable), f"{path}/{inner}")
    return [(paths[id(variable)], variable) for variable in model.weights]


def _check_same(model: Any, again: Any) -> None:
    """Make sure that the model of the architecture takes the same weights in the same order."""
    ours, theirs = (
        [(path, tuple(each.shape), each.dtype) for path, each in _weights(either)]
        for either in (model, again)
    )
    if ours != theirs:
        odd = sorted({row[0] for row in set(ours) ^ set(theirs)}) or [model.name]
        raise ParameterError(
            f"{', '.join(odd[:3])}: received weights that are not those of the same layer made "
            "again from its config, expected layers as they are when built"
        )


def _checked(
    model: Any, made: list[Any], container: Container, max_parameters: int
) -> list[tuple[str, Any]]:
    """List the weights that the records are of, if all of them may take memory."""
    total = sum(math.prod(variable.shape) for variable in made)
    if total > max_parameters:
        raise SlimFileError(
            f"file: received a network of {total} parameters, expected at most {max_parameters}; "
            "if it is trusted, raise max_parameters"
        )
    weights = _weights(model)
    if len(weights) != len(container.records):
        raise SlimFileError(
            f"file: received {len(container.records)} weights for an architecture of {len(weights)}"
        )
    return weights


def _numpy_dtype(path: str, name: str) -> np.dtype[Any]:
    """Return NumPy's dtype for a weight's."""
    dtype = np.dtype(getattr(ml_dtypes, name, name))
    if dtype.itemsize > _LARGEST_VALUE or dtype.kind in "OSU":
        raise ParameterError(
            f"{path}: received a weight of dtype {name}, expected numbers of at most "
            f"{_LARGEST_VALUE} bytes"
        )
    return dtype


def _bits(path: str, variable: Any) -> Bits:
    dtype = _numpy_dtype(path, variable.dtype)
    values = np.asarray(keras.ops.convert_to_numpy(variable)).astype(dtype, copy=False)
    return np.ascontiguousarray(values).reshape(-1).view(f"u{dtype.itemsize}")


class _Decoded:
    """Initialises a weight with what a record holds."""

    def __init__(self, path: str, variable: Any, number: int, payload: memoryview) -> None:
        self.path, self.number, self.payload = path, number, payload
        self.count = math.prod(variable.shape)

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        kind = _numpy_dtype(self.path, dtype)
        try:
            coding = get(name_of(self.number))
            bits = coding.decode(self.payload, self.count, np.dtype(f"u{kind.itemsize}"))
            if kind == np.bool_ and bits.size and bits.max() > 1:
                raise SlimFileError("received a truth value that is neither 0 nor 1")
        except SlimFileError as error:
            raise SlimFileError(f"{self.path}: {error}") from error
        return keras.ops.convert_to_tensor(bits.view(kind).reshape(shape), dtype=dtype)
