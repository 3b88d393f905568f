"""The first custom network of the paper: six convolutions."""

from slimderm.components.training.networks.network import Network, Stage

NETWORK = Network(
    name="custom1",
    stages=(
        Stage(16, 7),
        Stage(48, 5),
        Stage(92, 3),
        Stage(192, 3),
        Stage(192, 3),
        Stage(256, 3),
    ),
    dense=(1024, 1024),
    head=8,
    dropout_at=("metadata", "convolutions"),
)
