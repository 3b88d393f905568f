"""LeNet-5 for colour images (paper, table 2)."""

from slimderm.components.training.networks.network import ConvolutionStage, Network

NETWORK = Network(
    name="lenet5",
    stages=(ConvolutionStage(6, 5, padding="valid"), ConvolutionStage(16, 5, padding="valid")),
    dense=(84, 120),
    tail=(),
    head=16,
    pool_padding="valid",
    shallow=True,
)
