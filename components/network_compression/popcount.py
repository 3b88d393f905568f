"""Products of ±1 by counting bits: a bit is set for +1, and bits that differ are a −1 each."""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types
from numba.extending import intrinsic

from slimderm.components.common.errors import ParameterError
from slimderm.components.quality.kernels.compiled import compiled

WORD = 64  # bits
Words = npt.NDArray[np.uint64]


@intrinsic
def _ones(_context: Any, _word: Any) -> Any:
    """Count the bits of a word that are set: LLVM's ctpop."""

    def code(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), code


@compiled
def _pack(values: npt.NDArray[np.float32], words: Words) -> bool:
    """Set bits for what is positive; tell whether all is ±1."""
    fine = True
    for row in range(values.shape[0]):
        for place in range(words.shape[1]):
            word = np.uint64(0)
            for bit in range(min(WORD, values.shape[1] - WORD * place)):
                value = values[row, WORD * place + bit]
                fine &= abs(value) == 1
                word |= np.uint64(value > 0) << np.uint64(bit)
            words[row, place] = word
    return fine


@compiled
def _differing(left: Words, right: Words, found: npt.NDArray[np.int32]) -> None:
    for i in range(left.shape[0]):
        for j in range(right.shape[0]):
            count = np.uint64(0)
            for place in range(left.shape[1]):
                count += _ones(left[i, place] ^ right[j, place])
            found[i, j] = count


def pack(values: npt.NDArray[np.float32]) -> Words:
    """Write ±1 as bits.

    Parameters
    ----------
    values : float32 array of shape (M, K)
        Of −1 and +1.

    Returns
    -------
    uint64 array of shape (M, ⌈K / 64⌉)
        The first value is the lowest bit; bits behind the last one are 0.

    Raises
    ------
    ParameterError
        For other values, NaN among them.
    """
    words = np.empty((len(values), -(-values.shape[1] // WORD)), np.uint64)
    if not _pack(np.ascontiguousarray(values, np.float32), words):
        raise ParameterError("values: received some that are neither 1 nor -1, expected signs")
    return words


def product(left: Words, right: Words, number: int) -> npt.NDArray[np.int32]:
    """Multiply matrices of ±1 exactly.

    Parameters
    ----------
    left, right : uint64 arrays of shape (M, words) and (N, words)
        A and the transposed B, as `pack` gives them, or rows of it one behind the other.
    number : int
        K, how many of a row's bits stand for a value; the others must be the same in both.

    Returns
    -------
    int32 array of shape (M, N)
        A B.
    """
    found = np.empty((len(left), len(right)), np.int32)
    _differing(np.ascontiguousarray(left), np.ascontiguousarray(right), found)
    return number - 2 * found
