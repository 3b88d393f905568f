"""Random codes in a `.slim` file: what the records of the coded weights hold."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import ParameterError, SlimFileError
from slimderm.components.network_compression.bits import ByteReader, varint
from slimderm.components.network_compression.random_code import (
    MOST_BITS,
    MOST_BLOCKS,
    MOST_NORMALS,
    Part,
    RandomCode,
    decode,
)
from slimderm.components.network_compression.random_words import Normals

Weights = Sequence[tuple[str, Any]]  # all of a model, as `slim_weights.weights_of` lists them
SCALE = np.dtype("<f2")


def num_bytes(groups: Sequence[int], seed: int, bits: int, num_blocks: int) -> int:
    """Count what the records of a code of so many blocks take, for kernels and biases of groups."""
    scales = sum(len(_scale(1.0, group)) for group in groups)
    return scales + len(_head(seed, bits, num_blocks)) + -(-num_blocks * bits // 8)


def _scale(scale: float, group: int) -> bytes:
    return np.array(scale, SCALE).tobytes() + varint(group)


def _head(seed: int, bits: int, num_blocks: int) -> bytes:
    return varint(seed) + varint(bits) + varint(num_blocks)


def random_records(code: RandomCode, weights: Weights) -> dict[str, bytes]:
    """Write a code as what the records of its weights hold, by path.

    Raises
    ------
    ParameterError
        If the code does not stand for the weights, bit for bit.
    """
    now = {
        path: np.asarray(keras.ops.convert_to_numpy(variable)).reshape(-1)
        for path, variable in weights
        if path in code.groups
    }
    if list(now) != list(code.groups):
        raise ParameterError(
            f"code: received one of {', '.join(code.groups)}, expected weights of the model in "
            "its order; give the model and the code of one result"
        )
    for path, values in decode(code, {path: each.size for path, each in now.items()}).items():
        if values.dtype != now[path].dtype or values.tobytes() != now[path].tobytes():
            raise ParameterError(
                f"{path}: received weights that are not those of the code, expected the model as "
                "the pass gave it; one that was changed since is saved without the code"
            )
    written = {path: _scale(code.scales[path], group) for path, group in code.groups.items()}
    first = next(iter(written))
    written[first] += _head(code.seed, code.bits, len(code.indices)) + _packed(code)
    return written


def _packed(code: RandomCode) -> bytes:
    """Write each index in so many bits, the highest first."""
    places = np.arange(code.bits)[::-1]
    bits = np.array(code.indices)[:, None] >> places & 1
    return np.packbits(bits.astype(np.uint8)).tobytes()


def read_random(records: Mapping[str, memoryview], weights: Weights) -> dict[str, Normals]:
    """Decode the weights that records of a random code are of.

    Parameters
    ----------
    records : mapping
        Path to what the record holds, in the order of the model's weights, not empty.
    weights : sequence of (str, variable)

    Raises
    ------
    SlimFileError
        For bytes that `random_records` never writes, or too many weights.
    """
    variables = {path: variable for path, variable in weights if path in records}
    sizes = {path: math.prod(variable.shape) for path, variable in variables.items()}
    readers = {path: ByteReader(data) for path, data in records.items()}
    scales, groups = {}, {}
    for path, reader in readers.items():
        dtype = variables[path].dtype
        scale, group = float(np.frombuffer(reader.take(2), SCALE)[0]), reader.varint()
        if dtype != "float32" or not 0 < scale < math.inf or not 0 < group <= sizes[path]:
            raise SlimFileError(
                f"{path}: received a random code of scale {scale} and groups of {group} for "
                f"{sizes[path]} weights of {dtype}"
            )
        scales[path], groups[path] = scale, group
    num_normals = sum(Part(sizes[path], group).num_normals for path, group in groups.items())
    first, *others = readers.values()
    seed, bits, indices = _indices(first, num_normals)
    if any(len(reader.rest()) for reader in others):
        raise SlimFileError("received bytes behind the scale of a random code, expected none")
    return decode(RandomCode(seed, bits, indices, groups, scales), sizes)


def _indices(reader: ByteReader, num_normals: int) -> tuple[int, int, tuple[int, ...]]:
    seed, bits, num_blocks = (reader.varint() for _ in range(3))
    if not (
        0 < bits <= MOST_BITS
        and 0 < num_blocks <= min(num_normals, MOST_BLOCKS)
        and num_normals <= MOST_NORMALS
    ):
        raise SlimFileError(
            f"received a random code of {num_blocks} blocks of {bits} bits for {num_normals} "
            f"normals, expected at most {MOST_BITS} bits, {MOST_BLOCKS} blocks, "
            f"{MOST_NORMALS} normals"
        )
    packed = np.frombuffer(reader.take(-(-num_blocks * bits // 8)), np.uint8)
    drawn: npt.NDArray[np.uint8] = np.unpackbits(packed)
    if len(reader.rest()) or drawn[num_blocks * bits :].any():
        raise SlimFileError("received bytes or bits behind the last index, expected none")
    each = drawn[: num_blocks * bits].reshape(num_blocks, bits)
    return seed, bits, tuple((each @ (1 << np.arange(bits)[::-1])).tolist())
