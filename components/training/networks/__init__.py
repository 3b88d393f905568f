"""The networks by name, a file each. Add a network by a file here and a line of the table.

Nothing here imports Keras.
"""

from collections import ChainMap

from slimderm.components.common.checks import look_up
from slimderm.components.training.networks import alexnet, custom1, custom2, lenet5
from slimderm.components.training.networks.backbones import BACKBONES, Backbone
from slimderm.components.training.networks.network import Network

__all__ = ["BACKBONES", "NETWORKS", "TRAINABLE", "get"]

NETWORKS: dict[str, Network] = {
    "lenet5": lenet5.NETWORK,
    "alexnet": alexnet.NETWORK,
    "custom1": custom1.NETWORK,
    "custom2": custom2.NETWORK,
}
# Those of the paper's kind, image and metadata, and those on images alone.
TRAINABLE = ChainMap[str, Network | Backbone](BACKBONES, NETWORKS)  # type: ignore[arg-type]


def get(name: str) -> Network:
    """Look up a network by its name.

    Raises
    ------
    ParameterError
        When no network has that name; the message lists the names.
    """
    return look_up("network", name, NETWORKS)
