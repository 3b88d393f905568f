"""The second custom network of the paper: five convolutions, two residual blocks."""

from slimderm.components.training.networks.network import ConvolutionStage, Network

NETWORK = Network(
    name="custom2",
    stages=(
        ConvolutionStage(16, 5),
        ConvolutionStage(32, 7),
        ConvolutionStage(64, 3),
        ConvolutionStage(96, 3),
        ConvolutionStage(192, 3),
    ),
    blocks=(192, 256),
    dense=(1024, 1024),
    head=8,
    dropout_at=("metadata", "convolutions"),
)
