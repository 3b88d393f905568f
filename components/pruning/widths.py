"""Widths of a network, the paper's formula for shrinking them, and its notation for how often.

A pruning factor is a percentage above 1 and below 100, everywhere in this package: 50 takes half
of the filters away. 0.5 and 1 are refused: they mostly stand for 50 and 100 per cent.

Notation (paper, table 6): ``R0`` is the unpruned network, ``R2: 33%`` two iterations with a third
each, ``R2,R3: 50%,33%`` iterations up to the second with a half and up to the third with a third.
"""

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from slimderm.components.common.errors import ParameterError

UNPRUNED = "R0"
THIRD = 33.33  # table 6 writes it 33%, section 4.1 in full
FACTORS = (50, THIRD, 16.5, 8.25)  # percentages, in the order in which Algorithm 2 tries them


@dataclass(frozen=True)
class Widths:
    """Filters of each convolution, and units of the two dense layers after them.

    Raises
    ------
    ParameterError
        When a width is below 1.
    """

    convolutions: tuple[int, ...]
    dense: tuple[int, ...]

    def __post_init__(self) -> None:
        if any(width < 1 for width in self.convolutions + self.dense):
            raise ParameterError(f"widths: received {self}, expected each to be at least 1")


def check_factor(percent: float) -> None:
    """Refuse a pruning factor that is no percentage above 1 and below 100.

    Raises
    ------
    ParameterError
        For such a factor, NaN included.
    """
    if isinstance(percent, bool) or not 1 < percent < 100:
        raise ParameterError(
            f"pruning factor: received {percent}, expected a percentage above 1 and below 100; "
            "write 50 for a half"
        )


def shrink_widths(widths: Widths, percent: float, *, num_convolutions: int | None = None) -> Widths:
    """Shrink widths by N_new = floor(N_old * (1 - P)), to no less than 1 (paper, section 4.1).

    Parameters
    ----------
    widths : Widths
        Where to start.
    percent : float
        P as a percentage, in (1, 100).
    num_convolutions : int, optional
        Shrink only the first so many convolutions; all of them where not given. The dense layers
        shrink in any case.

    Returns
    -------
    Widths
        Equal to ``widths`` when nothing can shrink any more.

    Raises
    ------
    ParameterError
        When ``percent`` is out of range or ``num_convolutions`` negative.
    """
    check_factor(percent)
    if num_convolutions is not None and num_convolutions < 0:
        raise ParameterError(f"num_convolutions: received {num_convolutions}, expected at least 0")
    split = len(widths.convolutions) if num_convolutions is None else num_convolutions
    shrunk, left = widths.convolutions[:split], widths.convolutions[split:]
    return Widths(_shrink(shrunk, percent) + left, _shrink(widths.dense, percent))


def _shrink(widths: Sequence[int], percent: float) -> tuple[int, ...]:
    return tuple(kept_of(width, percent) for width in widths)


def kept_of(width: int, percent: float) -> int:
    """Return floor(width * (1 - P)), at least 1 (paper, section 4.1); P in per cent."""
    # A fraction, since the floor of a float product loses a filter: 100 * (1 - 0.83) is 16.99….
    return max(1, math.floor(width * (1 - Fraction(str(percent)) / 100)))


def notation(percents: Sequence[float]) -> str:
    """Write the factors of successive iterations in the paper's notation."""
    if not percents:
        return UNPRUNED
    marks, factors = [], []
    iteration = 0
    for percent, run in itertools.groupby(percents):
        iteration += len(list(run))
        marks.append(f"R{iteration}")
        factors.append("33%" if percent == THIRD else f"{percent:g}%")
    return f"{','.join(marks)}: {','.join(factors)}"


def parse_path(text: str) -> list[tuple[float, ...]]:
    """Read paths in the paper's notation.

    Parameters
    ----------
    text : str
        ``R2: 33%`` and ``R1,R2: 50%,33%`` are one path, ``R1..R5: 50%`` is five, one for each of
        its ends. 33% means 33.33 %.

    Returns
    -------
    list of tuple of float
        For each path the percentage of every iteration; () for ``R0``.

    Raises
    ------
    ParameterError
        When the text is no such notation, marks do not rise, or a factor is out of range.
    """
    if text.strip() == UNPRUNED:
        return [()]
    marks, _, factors = (part.strip() for part in text.partition(":"))
    percents = [_read_factor(factor, text) for factor in factors.split(",")]
    span = re.fullmatch(r"R(\d+)\s*\.\.\s*R(\d+)", marks)
    if span and len(percents) == 1:
        first, last = int(span[1]), int(span[2])
        if 1 <= first <= last:
            return [tuple(percents) * count for count in range(first, last + 1)]
    matched = [re.fullmatch(r"R(\d+)", mark.strip()) for mark in marks.split(",")]
    ends = [int(mark[1]) for mark in matched if mark]
    rising = all(before < after for before, after in itertools.pairwise([0, *ends]))
    if len(ends) != len(matched) or len(ends) != len(percents) or not rising:
        raise ParameterError(
            f"path: received {text!r}, expected notation such as 'R2: 33%', 'R1..R5: 50%' or "
            "'R1,R2: 50%,33%' with rising iterations and a factor for each"
        )
    lengths = [after - before for before, after in itertools.pairwise([0, *ends])]
    path: tuple[float, ...] = ()
    for percent, length in zip(percents, lengths, strict=True):
        path += (percent,) * length
    return [path]


def _read_factor(factor: str, text: str) -> float:
    matched = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", factor.strip())
    if not matched:
        raise ParameterError(
            f"path: received {text!r}, expected a factor such as '50%' and not {factor.strip()!r}"
        )
    percent = THIRD if matched[1] == "33" else float(matched[1])
    check_factor(percent)
    return percent
