"""The second custom network of the paper: five convolutions, two residual blocks."""

from slimderm.components.training.networks.network import Network, Stage

NETWORK = Network(
    name="custom2",
    stages=(Stage(16, 5), Stage(32, 7), Stage(64, 3), Stage(96, 3), Stage(192, 3)),
    blocks=(192, 256),
    dense=(1024, 1024),
    head=8,
    dropout_at=("metadata", "convolutions"),
)
