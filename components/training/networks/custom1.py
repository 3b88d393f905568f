"""The first custom network of the paper: six convolutions."""

from slimderm.components.training.networks.network import ConvolutionStage, Network

NETWORK = Network(
    name="custom1",
    stages=(
        ConvolutionStage(16, 7),
        ConvolutionStage(48, 5),
        ConvolutionStage(92, 3),
        ConvolutionStage(192, 3),
        ConvolutionStage(192, 3),
        ConvolutionStage(256, 3),
    ),
    dense=(1024, 1024),
    head=8,
    dropout_at=("metadata", "convolutions"),
)
