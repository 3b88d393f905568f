"""All passes by name."""

from slimderm.components.common.checks import look_up
from slimderm.components.network_compression.binarise import Binarise
from slimderm.components.network_compression.cp import CP
from slimderm.components.network_compression.distil import Distil
from slimderm.components.network_compression.low_rank import LowRank
from slimderm.components.network_compression.miracle import Miracle
from slimderm.components.network_compression.passes import Pass
from slimderm.components.network_compression.prune import Prune
from slimderm.components.network_compression.quantise import Quantise
from slimderm.components.network_compression.separable import Separable
from slimderm.components.network_compression.share import ShareWeights
from slimderm.components.network_compression.sparsify import Sparsify
from slimderm.components.network_compression.train import Train
from slimderm.components.network_compression.truncate import Truncate
from slimderm.components.network_compression.tucker import Tucker
from slimderm.components.network_compression.xnor import XNOR

PASSES: dict[str, type[Pass]] = {
    "train": Train,
    "prune": Prune,
    "low_rank": LowRank,
    "truncate": Truncate,
    "tucker": Tucker,
    "cp": CP,
    "separable": Separable,
    "distil": Distil,
    "sparsify": Sparsify,
    "share": ShareWeights,
    "binarise": Binarise,
    "quantise": Quantise,
    "xnor": XNOR,
    "miracle": Miracle,
}


def get(name: str) -> type[Pass]:
    """Look up a pass by its name.

    Raises
    ------
    ParameterError
        When no pass has that name; the message lists the names.
    """
    return look_up("pass", name, PASSES)
