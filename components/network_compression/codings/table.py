"""All codings by name: the one list of them."""

from slimderm.components.common.checks import look_up
from slimderm.components.common.errors import SlimFileError
from slimderm.components.network_compression.codings import (
    constant,
    deflate,
    raw,
    shared,
    sparse,
)
from slimderm.components.network_compression.codings.base import Bits, Coding

CODINGS: dict[str, Coding] = {
    "raw": Coding(0, raw.encode, raw.decode),
    "constant": Coding(1, constant.encode, constant.decode),
    "deflate": Coding(2, deflate.encode, deflate.decode),
    "shared": Coding(3, shared.encode, shared.decode),
    "sparse": Coding(4, sparse.encode, sparse.decode),
}
# Of several weights together, which values alone do not tell: `slim_random` reads and writes it.
RANDOM, RANDOM_NUMBER = "random", 5


def get(name: str) -> Coding:
    """Look up a coding by its name.

    Raises
    ------
    ParameterError
        For an unknown name; the message lists the known ones.
    """
    return look_up("coding", name, CODINGS)


def name_of(number: int) -> str:
    """Return the name of the coding that a number in a file stands for.

    Raises
    ------
    SlimFileError
        For a number that stands for none.
    """
    names = {coding.number: name for name, coding in CODINGS.items()} | {RANDOM_NUMBER: RANDOM}
    if number not in names:
        raise SlimFileError(f"received coding {number}, expected one of {sorted(names)}")
    return names[number]


def smallest(bits: Bits) -> tuple[str, bytes]:
    """Write values by every coding, and keep the shortest: its name and the bytes."""
    found = ((name, coding.encode(bits)) for name, coding in CODINGS.items())
    written = [(name, data) for name, data in found if data is not None]
    return min(written, key=lambda each: len(each[1]))
