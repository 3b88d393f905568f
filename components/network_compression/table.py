"""All passes by name."""

from slimderm.components.common.errors import ParameterError
from slimderm.components.network_compression.cp import CP
from slimderm.components.network_compression.low_rank import LowRank
from slimderm.components.network_compression.passes import Pass
from slimderm.components.network_compression.separable import Separable
from slimderm.components.network_compression.tucker import Tucker

PASSES: dict[str, type[Pass]] = {
    "low_rank": LowRank,
    "tucker": Tucker,
    "cp": CP,
    "separable": Separable,
}


def get(name: str) -> type[Pass]:
    """Look up a pass by its name.

    Raises
    ------
    ParameterError
        When no pass has that name; the message lists the names.
    """
    if name not in PASSES:
        raise ParameterError(f"pass: received {name!r}, expected one of {', '.join(PASSES)}")
    return PASSES[name]
