"""What a network is: plain values, from which `components.training.build` builds a model.

Each network has an image branch (convolutions, then dense layers), a metadata branch (4, 6, 2, 1
units) and a head on the two concatenated (paper, tables 1 to 3 and section 4.1).
What the paper leaves open is decided here once: every convolution is followed by ReLU, its pool
where it has one, and batch normalisation; the image branch's features are normalised too; table 3's
zero paddings equal ``same`` at stride 1; the custom networks pad everywhere, so that no feature map
vanishes under six pools.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from slimderm.components.common.errors import ParameterError

Padding = Literal["valid", "same"]
Widths = tuple[tuple[int, ...], tuple[int, ...]]  # convolutions, dense
Place = Literal["metadata", "convolutions", "dense"]

METADATA_UNITS = (4, 6, 2, 1)
METADATA_DROPOUT_AFTER = (0, 2)  # table 1: after the first and the third dense layer


@dataclass(frozen=True)
class ConvolutionStage:
    """One convolution of the image branch with what follows it."""

    filters: int
    kernel: int
    stride: int = 1
    padding: Padding = "same"
    pool: bool = True


@dataclass(frozen=True)
class Network:
    """One network of the table: everything in which the networks differ.

    ``dense`` are the two dense layers after the convolutions, which pruning shrinks; ``tail`` the
    one that stays; ``head`` the units between the concatenation and the classes. Of a
    ``shallow`` one less is demanded on validation (section 4.1).
    """

    name: str
    stages: tuple[ConvolutionStage, ...]
    dense: tuple[int, int]
    head: int
    blocks: tuple[int, ...] = ()
    tail: tuple[int, ...] = (512,)
    pool_padding: Padding = "same"
    dropout: float = 0.1
    dropout_at: tuple[Place, ...] = ("metadata",)
    shallow: bool = False

    @property
    def convolutions(self) -> tuple[int, ...]:
        """Filters of each convolution, then of each residual block."""
        return tuple(stage.filters for stage in self.stages) + self.blocks

    def fixed(self, *, image_only: bool) -> tuple[str, ...]:
        """Layers that the paper does not prune, by name; ``*`` stands for any characters."""
        tail = ("tail",) if self.tail else ()
        return (*tail, "head") if image_only else (*tail, "head", "metadata*")


def resolve_widths(
    network: Network,
    convolutions: Sequence[int] | None = None,
    dense: Sequence[int] | None = None,
) -> Widths:
    """Return the widths to build with: those given, the network's own where none are.

    Raises
    ------
    ParameterError
        When their number is not the network's, or one is below 1.
    """
    chosen = (
        network.convolutions if convolutions is None else tuple(convolutions),
        network.dense if dense is None else tuple(dense),
    )
    for what, own, given in zip(
        ("convolutions", "dense"), (network.convolutions, network.dense), chosen, strict=True
    ):
        if len(given) != len(own) or any(width < 1 for width in given):
            raise ParameterError(
                f"{what} of {network.name}: received {given}, expected {len(own)} widths of at "
                f"least 1, as in {own}"
            )
    return chosen


def feature_map(network: Network, height: int, width: int) -> tuple[int, int]:
    """Walk the image branch and return the height and width that reach its flattening.

    Raises
    ------
    ParameterError
        When the image is too small for the network.
    """
    size = (height, width)
    for stage in network.stages:
        size = pooled_size(network, stage, *convolved_size(stage, *size))
        if min(size) < 1:
            raise ParameterError(
                f"input_shape: received {height}x{width}, expected an image large enough for the "
                f"{len(network.stages)} stages of {network.name}; take a larger one"
            )
    return size


def convolved_size(stage: ConvolutionStage, height: int, width: int) -> tuple[int, int]:
    """Height and width that a stage's convolution makes of ``height`` and ``width``."""
    lost = 0 if stage.padding == "same" else stage.kernel - 1
    return -((lost - height) // stage.stride), -((lost - width) // stage.stride)


def pooled_size(
    network: Network, stage: ConvolutionStage, height: int, width: int
) -> tuple[int, int]:
    """Height and width after a stage's 2x2 pool, unchanged where it has none."""
    if not stage.pool:
        return height, width
    spare = 1 if network.pool_padding == "same" else 0
    return (height + spare) // 2, (width + spare) // 2
