"""VGG16 and DenseNet169 as a table: plain values, from which `backbones.build_backbone` builds."""

from dataclasses import dataclass

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Backbone:
    """One row of `BACKBONES`.

    ``builder`` is a name in ``keras.applications``. ``mean`` and ``deviation`` (R, G, B, grey
    levels) scale the image. ``first`` names the first convolution where the published weights
    expect it otherwise: blue first, and not divided.
    """

    builder: str
    mean: Triple
    deviation: Triple
    smallest: int
    first: str = ""


BACKBONES: dict[str, Backbone] = {
    "vgg16": Backbone(
        builder="VGG16",
        mean=(123.68, 116.779, 103.939),
        deviation=(58.395, 57.12, 57.375),
        smallest=32,
        first="block1_conv1",
    ),
    "densenet169": Backbone(
        builder="DenseNet169",
        mean=(123.675, 116.28, 103.53),
        deviation=(58.395, 57.12, 57.375),
        smallest=32,
    ),
}
