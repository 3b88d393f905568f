"""The backbones of `keras.applications` by name, as plain values. Nothing here imports Keras."""

from dataclasses import dataclass

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Backbone:
    """One backbone, built by `slimderm.components.training.build_backbone.build_backbone`.

    Attributes
    ----------
    application : str
        Name in `keras.applications`.
    mean, deviation : tuple of float
        R, G, B in grey levels, by which the published weights expect images to be scaled.
    smallest : int
        The least height and width, in pixels.
    first : str
        Name of the first convolution where the published weights expect blue first and images not
        divided by the deviation; empty otherwise.
    """

    application: str
    mean: Triple
    deviation: Triple
    smallest: int
    first: str = ""


BACKBONES: dict[str, Backbone] = {
    "vgg16": Backbone(
        application="VGG16",
        mean=(123.68, 116.779, 103.939),
        deviation=(58.395, 57.12, 57.375),
        smallest=32,
        first="block1_conv1",
    ),
    "densenet169": Backbone(
        application="DenseNet169",
        mean=(123.675, 116.28, 103.53),
        deviation=(58.395, 57.12, 57.375),
        smallest=32,
    ),
    "mobilenet": Backbone(
        application="MobileNet",
        mean=(127.5, 127.5, 127.5),
        deviation=(127.5, 127.5, 127.5),
        smallest=32,
    ),
    "mobilenet_v2": Backbone(
        application="MobileNetV2",
        mean=(127.5, 127.5, 127.5),
        deviation=(127.5, 127.5, 127.5),
        smallest=32,
    ),
    "xception": Backbone(
        application="Xception",
        mean=(127.5, 127.5, 127.5),
        deviation=(127.5, 127.5, 127.5),
        smallest=71,
    ),
}
