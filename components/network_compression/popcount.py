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
def _multiply(left: Words, right: Words, number: int, found: npt.NDArray[np.int32]) -> None:
    """Count bits that differ, along the columns of the right side, for LLVM to do several at once.

    Bits of three words are added first, place by place: two counts do for three words.
    """
    counts = np.empty(right.shape[1], np.uint64)
    for i in range(left.shape[0]):
        counts[:] = 0
        place = 0
        while place + 3 <= left.shape[1]:
            one, two, three = left[i, place], left[i, place + 1], left[i, place + 2]
            for j in range(right.shape[1]):
                a, b = one ^ right[place, j], two ^ right[place + 1, j]
                c = three ^ right[place + 2, j]
                half = a ^ b
                carry = (a & b) | (half & c)
                counts[j] += _ones(half ^ c) + (_ones(carry) << np.uint64(1))
            place += 3
        while place < left.shape[1]:
            for j in range(right.shape[1]):
                counts[j] += _ones(left[i, place] ^ right[place, j])
            place += 1
        for j in range(right.shape[1]):
            found[i, j] = number - 2 * np.int32(counts[j])


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
    left : uint64 array of shape (M, words)
        A, its rows as `pack` gives them, or several such rows one behind the other.
    right : uint64 array of shape (words, N)
        B, its columns packed alike.
    number : int
        K, how many bits of a row stand for a value; the others are the same on both sides.

    Returns
    -------
    int32 array of shape (M, N)
        A B.
    """
    found = np.empty((len(left), right.shape[1]), np.int32)
    _multiply(np.ascontiguousarray(left), np.ascontiguousarray(right), number, found)
    return found
