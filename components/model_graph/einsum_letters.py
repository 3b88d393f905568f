"""The letters of an einsum equation, one for each axis of its operands and of its result."""

from collections.abc import Sequence


def axis_letters(equation: str, ranks: Sequence[int]) -> tuple[list[list[str]], list[str]]:
    """Name each axis of an einsum's operands and of its result.

    Parameters
    ----------
    equation : str
        Such as ``"bij,bjc->bic"``. The axes that ``...`` stands for are named as well, counted from
        the last one.
    ranks : sequence of int
        Of the operands.

    Returns
    -------
    operands : list of list of str
    result : list of str
    """
    left, arrow, right = equation.replace(" ", "").partition("->")
    operands = [_named(part, rank) for part, rank in zip(left.split(","), ranks, strict=True)]
    elided = max((_elided(names) for names in operands), key=len)
    if arrow:
        before, dots, after = right.partition("...")
        return operands, [*before, *(elided if dots else []), *after]
    every = [name for names in operands for name in names]
    once = sorted(name for name in set(every) - set(elided) if every.count(name) == 1)
    return operands, [*elided, *once]


def _named(part: str, rank: int) -> list[str]:
    before, dots, after = part.partition("...")
    missing = rank - len(before) - len(after) if dots else 0
    return [*before, *(f"...{index}" for index in reversed(range(missing))), *after]


def _elided(names: Sequence[str]) -> list[str]:
    return [name for name in names if name.startswith("...")]
