"""Checks of single values, with one message each."""

from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any, TypeVar

from slimderm.components.common.errors import ParameterError

Entry = TypeVar("Entry")


def check_name(what: str, name: Any, names: Iterable[str]) -> None:
    """Refuse what is none of some names.

    Raises
    ------
    ParameterError
        The message lists the names.
    """
    known = list(names)
    if name not in known:
        raise ParameterError(f"{what}: received {name!r}, expected one of {', '.join(known)}")


def look_up(what: str, name: str, table: Mapping[str, Entry]) -> Entry:
    """Return the entry of a name.

    Raises
    ------
    ParameterError
        When there is none; the message lists the names.
    """
    check_name(what, name, table)
    return table[name]


def check_whole(
    what: str, value: Any, *, least: int = 1, most: int | None = None, where: str = ""
) -> None:
    """Refuse what is no whole number within bounds; True and False are none.

    Raises
    ------
    ParameterError
        ``where`` stands behind the value, such as " for layer dense1".
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ParameterError(f"{what}: received {value!r}{where}, expected a whole number {bounds}")
