"""What a coding is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import SlimFileError

Bits = npt.NDArray[Any]  # the values of a weight as unsigned integers of their size, flat


@dataclass(frozen=True)
class Coding:
    """One way to write the values of a weight, bit for bit.

    Attributes
    ----------
    number : int
        What stands for it in a file; never given to another.
    encode : callable
        Takes values and returns bytes, or None where this coding is nothing for them.
    decode : callable
        Takes bytes, the number of values and their dtype, an unsigned integer's, and returns the
        values. Raises SlimFileError for bytes that `encode` never writes. What it allocates is
        bounded by the bytes and by the number of values.
    """

    number: int
    encode: Callable[[Bits], bytes | None]
    decode: Callable[[memoryview, int, np.dtype[Any]], Bits]


def exactly(data: memoryview, count: int, dtype: np.dtype[Any]) -> Bits:
    """Read so many values from as many bytes as they take, lowest byte first."""
    if len(data) != count * dtype.itemsize:
        raise SlimFileError(
            f"received {len(data)} bytes for {count} values of {dtype.itemsize} bytes each"
        )
    return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype)


def little(bits: Bits) -> bytes:
    """Write values, lowest byte first."""
    return bits.astype(bits.dtype.newbyteorder("<")).tobytes()
