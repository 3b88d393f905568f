"""What a network costs, counted in every way that others count it."""

import io
import math
from typing import Any

import imagecodecs
import keras
import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.copies import copied
from slimderm.components.model_graph.cost import multiply_accumulates
from slimderm.components.network_compression.random_code import RandomCode
from slimderm.components.network_compression.slim_file import pack
from slimderm.components.network_compression.slim_weights import weights_of
from slimderm.components.training.file_size import file_bytes

LEVEL = 22  # zstd's highest
MOST_SYMBOLS = 256  # of a weight with more values the bytes themselves are compressed


def ledger(model: keras.Model, code: RandomCode | None = None) -> dict[str, int | None]:
    """Count a network's parameters, operations and bytes, and those of the control arms.

    Parameters
    ----------
    model : keras.Model
        Functional or sequential, built.
    code : RandomCode, optional
        As for `slimderm.components.network_compression.slim_file.pack`.

    Returns
    -------
    dict
        ``parameters``; ``multiply_accumulates``, None where inputs have no fixed size;
        ``keras_bytes``: the `.keras` file without optimizer; ``float32_bytes``: four for each
        parameter; ``slim_bytes``: the `.slim` file; ``zstd_float32_bytes``, ``zstd_int8_bytes``,
        ``zstd_symbols_bytes``: zstd at level 22 of the weights as they are, of each rounded to
        eight bits (which changes the network), and of the numbers of each weight's values with the
        values beside them, where these are few.

    Raises
    ------
    ParameterError
        For a model that a `.slim` file cannot hold.
    """
    weights = [keras.ops.convert_to_numpy(variable) for _, variable in weights_of(model)]
    floats = [np.asarray(weight, np.float32).ravel() for weight in weights]
    try:
        operations: int | None = multiply_accumulates(model)
    except ParameterError:  # inputs of no fixed size
        operations = None
    parameters = sum(math.prod(weight.shape) for weight in weights)
    return {
        "parameters": parameters,
        "multiply_accumulates": operations,
        "keras_bytes": file_bytes(copied(model)),
        "float32_bytes": 4 * parameters,
        "slim_bytes": len(pack(model, code)),
        "zstd_float32_bytes": _zstd(each.tobytes() for each in floats),
        "zstd_int8_bytes": _zstd(_int8(each) for each in floats),
        "zstd_symbols_bytes": _zstd(_symbols(each) for each in floats),
    }


def _zstd(parts: Any) -> int:
    joined = io.BytesIO()
    for part in parts:
        joined.write(part)
    return len(imagecodecs.zstd_encode(joined.getvalue(), level=LEVEL))


def _int8(values: npt.NDArray[np.float32]) -> bytes:
    scale = float(np.abs(values).max(initial=0)) / 127
    rounded = np.round(values / scale).astype(np.int8) if scale else np.zeros(len(values), np.int8)
    return np.float32(scale).tobytes() + rounded.tobytes()


def _symbols(values: npt.NDArray[np.float32]) -> bytes:
    distinct, numbers = np.unique(values, return_inverse=True)
    symbols = distinct.tobytes() + numbers.astype(np.uint8).tobytes()
    few = len(distinct) <= MOST_SYMBOLS and len(symbols) < values.nbytes
    return symbols if few else values.tobytes()
