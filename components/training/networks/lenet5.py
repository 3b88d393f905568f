"""LeNet-5 for colour images (paper, table 2)."""

from slimderm.components.training.networks.network import Network, Stage

NETWORK = Network(
    name="lenet5",
    stages=(Stage(6, 5, padding="valid"), Stage(16, 5, padding="valid")),
    dense=(84, 120),
    tail=(),
    head=16,
    pool_padding="valid",
)
