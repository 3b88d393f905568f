"""What a coding is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import SlimFileError

Bits = npt.NDArray[Any]  # the values of a weight as unsigned integers of their size


@dataclass(frozen=True)
class Coding:
    """One way to write the values of a weight, bit for bit.

    Attributes
    ----------
    number : int
        What stands for it in a file; never given to another.
    encode : callable
        Takes values, flat, and returns bytes, or None where this coding is nothing for them.
    decode : callable
        Takes bytes, the number of values and their dtype, an unsigned integer's, and returns the
        values. Raises SlimFileError for bytes that `encode` never writes. What it allocates is
        bounded by the bytes and by the number of values.
    by_channel : bool
        Whether ``encode`` takes the values of a kernel as a matrix, an output channel a column.
    """

    number: int
    encode: Callable[[Bits], bytes | None]
    decode: Callable[[memoryview, int, np.dtype[Any]], Bits]
    by_channel: bool = False


def smallest_of(bits: Bits, codings: Mapping[str, Coding]) -> tuple[str, bytes]:
    """Write values, in the shape of their weight, by the shortest of some codings."""
    flat = bits.reshape(-1)
    matrix = bits.reshape(-1, bits.shape[-1]) if bits.ndim > 1 and bits.size else flat
    found = (
        (name, coding.encode(matrix if coding.by_channel else flat))
        for name, coding in codings.items()
    )
    written = [(name, data) for name, data in found if data is not None]
    return min(written, key=lambda each: len(each[1]))


def numbered(number: int, codings: Mapping[str, Coding]) -> str:
    """Return the name of the coding that a number stands for.

    Raises
    ------
    SlimFileError
        For a number that stands for none.
    """
    for name, coding in codings.items():
        if coding.number == number:
            return name
    raise SlimFileError(f"received coding {number}, expected 0 to {len(codings) - 1}")


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
