"""AlexNet with a smaller first kernel."""

from slimderm.components.training.networks.network import Network, Stage

NETWORK = Network(
    name="alexnet",
    stages=(
        Stage(64, 5, stride=2, padding="valid"),
        Stage(192, 5),
        Stage(384, 3, pool=False),
        Stage(384, 3, pool=False),
        Stage(256, 3),
    ),
    dense=(1024, 1024),
    head=8,
    pool_padding="valid",
    dropout=0.2,
    dropout_at=("metadata", "dense"),
)
