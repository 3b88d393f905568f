"""The networks by name, a file each. Add a network by a file here and a line of the table.

Nothing here imports Keras.
"""

from slimderm.components.common.checks import look_up
from slimderm.components.training.networks import alexnet, custom1, custom2, lenet5
from slimderm.components.training.networks.backbones import BACKBONES
from slimderm.components.training.networks.network import Network

__all__ = ["BACKBONES", "NETWORKS", "get"]

NETWORKS: dict[str, Network] = {
    "lenet5": lenet5.NETWORK,
    "alexnet": alexnet.NETWORK,
    "custom1": custom1.NETWORK,
    "custom2": custom2.NETWORK,
}


def get(name: str) -> Network:
    """Look up a network by its name.

    Raises
    ------
    ParameterError
        When no network has that name; the message lists the names.
    """
    return look_up("network", name, NETWORKS)
