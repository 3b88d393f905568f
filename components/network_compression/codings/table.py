"""All codings by name: the one list of them."""

from slimderm.components.common.checks import look_up
from slimderm.components.network_compression.codings import (
    constant,
    deflate,
    raw,
    scaled,
    shared,
    sparse,
)
from slimderm.components.network_compression.codings.base import (
    Bits,
    Coding,
    numbered,
    smallest_of,
)

FLAT: dict[str, Coding] = {
    "raw": Coding(0, raw.encode, raw.decode),
    "constant": Coding(1, constant.encode, constant.decode),
    "deflate": Coding(2, deflate.encode, deflate.decode),
    "shared": Coding(3, shared.encode, shared.decode),
    "sparse": Coding(4, sparse.encode, sparse.decode),
}
CODINGS: dict[str, Coding] = {**FLAT, "scaled": scaled.over(5, FLAT)}
# Of several weights together, which values alone do not tell: `slim_random` reads and writes it.
RANDOM, RANDOM_NUMBER = "random", 6


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
    if number == RANDOM_NUMBER:
        return RANDOM
    return numbered(number, CODINGS)


def smallest(bits: Bits) -> tuple[str, bytes]:
    """Write values, in the shape of their weight, by every coding, and keep the shortest.

    Returns
    -------
    str, bytes
        Its name, and what it wrote.
    """
    return smallest_of(bits, CODINGS)
