"""AlexNet with a smaller first kernel."""

from slimderm.components.training.networks.network import ConvolutionStage, Network

NETWORK = Network(
    name="alexnet",
    stages=(
        ConvolutionStage(64, 5, stride=2, padding="valid"),
        ConvolutionStage(192, 5),
        ConvolutionStage(384, 3, pool=False),
        ConvolutionStage(384, 3, pool=False),
        ConvolutionStage(256, 3),
    ),
    dense=(1024, 1024),
    head=8,
    pool_padding="valid",
    dropout=0.2,
    dropout_at=("metadata", "dense"),
)
