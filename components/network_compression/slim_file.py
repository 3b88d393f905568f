"""The file `.slim`: a network, each weight by the smallest coding, read back bit for bit.

Every weight is written by the smallest coding of `codings.table`. A file holds no code, no names of
weights, no optimizer. Its layout is written down in ``docs/slim-file.md``.
"""

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np

from slimderm.components.common.errors import ParameterError, SlimFileError
from slimderm.components.model_graph.copies import settle
from slimderm.components.network_compression.codings.table import (
    RANDOM_NUMBER,
    get,
    name_of,
    smallest,
)
from slimderm.components.network_compression.random_code import RandomCode
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
from slimderm.components.network_compression.slim_contents import Contents, Weight
from slimderm.components.network_compression.slim_random import random_records, read_random
from slimderm.components.network_compression.slim_weights import (
    Decoded,
    bits_of,
    check_same,
    numpy_dtype,
    weights_of,
)

MAX_PARAMETERS = 250_000_000


def pack(model: keras.Model, code: RandomCode | None = None) -> bytes:
    """Write a model as the bytes of a `.slim` file.

    Parameters
    ----------
    model : keras.Model
        Functional or sequential, built, of Keras's own layers. Weights of any dtype up to eight
        bytes. It is not changed.
    code : RandomCode, optional
        What some of its weights are written as, where a pass gave one beside the model.

    Raises
    ------
    ParameterError
        For a model that such a file cannot hold, or a code of other weights; the message names
        the layer and the reason.
    """
    text = write_architecture(model)
    try:
        again = build(read_architecture(text, np.iinfo(np.int64).max))
    except SlimFileError as error:
        raise ParameterError(
            f"model: received {model.name!r}, which cannot be made again ({error})"
        ) from error
    check_same(model, again)
    weights = weights_of(model)
    coded = random_records(code, weights) if code else {}
    records = (
        (RANDOM_NUMBER, coded[path]) if path in coded else _smallest(path, variable)
        for path, variable in weights
    )
    return write_container(text, records)


def _smallest(path: str, variable: Any) -> tuple[int, bytes]:
    name, data = smallest(bits_of(path, variable))
    return get(name).number, data


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
        paths = [path for path, _ in weights]
        records = dict(zip(paths, container.records, strict=True))
        coded = {path: data for path, (number, data) in records.items() if number == RANDOM_NUMBER}
        values = read_random(coded, weights) if coded else {}
        for path, variable in weights:
            variable._initializer = Decoded(path, variable, *records[path], values.get(path))

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
        model, [variable for _, variable in weights_of(model)], container, max_parameters
    )
    found = tuple(
        Weight(
            path,
            tuple(variable.shape),
            variable.dtype,
            name_of(number),
            len(payload),
            numpy_dtype(variable.dtype).itemsize,
        )
        for (path, variable), (number, payload) in zip(weights, container.records, strict=True)
    )
    return Contents(model.name, found, container.architecture_bytes, len(data))


def save(model: keras.Model, path: Path | str, *, code: RandomCode | None = None) -> None:
    """Write a model as a `.slim` file, which appears whole or not at all; `code` as for `pack`.

    Raises
    ------
    ParameterError
        For a model that such a file cannot hold, or a code of other weights; the message names
        the layer and the reason.
    """
    write(pack(model, code), path)


def write(data: bytes, path: Path | str) -> None:
    """Write bytes to a file that appears whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


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
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise ParameterError(f"data: received {type(data).__name__}, expected bytes")
    container = read_container(data)
    return container, read_architecture(container.architecture, max_parameters)


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
    weights = weights_of(model)
    if len(weights) != len(container.records):
        raise SlimFileError(
            f"file: received {len(container.records)} weights for an architecture of {len(weights)}"
        )
    return weights
