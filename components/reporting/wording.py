"""From numbers to what a report's opening says of them."""

import math
from collections.abc import Callable, Mapping

from slimderm.components.reporting.opening import Change, Factor

UNCHANGED = 0.005  # relative difference below which a size counts as the same
SLIGHT = 0.1  # share of a ratio's logarithm below which a cause hardly counts
FEWER, SMALLER, FASTER = ("fewer", "more"), ("smaller", "larger"), ("faster", "slower")


def change(
    name: str,
    before: float,
    after: float,
    *,
    write: Callable[[float], str],
    words: tuple[str, str],
    note: str = "",
) -> Change:
    """Compare two positive numbers.

    Parameters
    ----------
    name : str
        Of the quantity.
    before, after : float
        Above 0.
    write : callable
        Writes such a number with its unit.
    words : tuple of str
        For less and for more: `FEWER`, `SMALLER` or `FASTER`.
    note : str
        What else is to be said.
    """
    largest = max(before, after)
    said = times(before, after, words)
    bars = (before / largest, after / largest)
    return Change(name, write(before), write(after), ", ".join(filter(None, (said, note))), bars)


def times(before: float, after: float, words: tuple[str, str]) -> str:
    """Say how many times less or more there is: ``3.7× smaller``."""
    if abs(after / before - 1) < UNCHANGED:
        return "unchanged"
    less = after < before
    ratio = before / after if less else after / before
    return f"{ratio:.3g}× {words[0] if less else words[1]}"


def causes(factors: Mapping[str, float]) -> list[Factor]:
    """Share out a ratio among the factors whose product it is.

    Parameters
    ----------
    factors : mapping
        Cause to its factor, above 0; below 1 it made things larger.

    Returns
    -------
    list of Factor
        The shares, of logarithms, add up to 1 where every factor is at least 1. A factor below 1
        has the share 0.
    """
    logarithms = {name: max(0.0, math.log(factor)) for name, factor in factors.items()}
    total = sum(logarithms.values()) or 1.0
    return [
        Factor(name, f"{factor:.3f}×", logarithms[name] / total) for name, factor in factors.items()
    ]


def what_did_it(encoder: float, svd: float) -> str:
    """Say which of two factors, above 0, made the files smaller."""
    if encoder * svd <= 1:
        return "Nothing made the files smaller."
    if svd < 1:
        return f"The encoder did it; SVD made the files {1 / svd - 1:.1%} larger."
    share = math.log(svd) / math.log(encoder * svd)
    if share < SLIGHT:
        return "The encoder did nearly all of it."
    return "SVD did nearly all of it." if share > 1 - SLIGHT else "The encoder and SVD did it."


def write_bytes(number: float) -> str:
    """Write bytes for people: ``17.8 MB``."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= size:
            return f"{number / size:.{0 if number >= 100 * size else 1}f} {unit}"
    return f"{number:.0f} bytes"
