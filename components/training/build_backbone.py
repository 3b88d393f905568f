"""Networks of `keras.applications` on images alone, with our classes: see `BACKBONES`.

The classifier that ImageNet's thousand classes need is replaced by global average pooling and one
dense layer, so that any image size will do. Images come as 0..255 and are scaled inside the network
to the statistics that the published weights were trained with.
"""

import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from slimderm.components.common.checks import look_up
from slimderm.components.common.errors import ParameterError
from slimderm.components.keras_support.seeding import seeded
from slimderm.components.training.build import NORMALISATION_MOMENTUM
from slimderm.components.training.networks.backbones import BACKBONES, Backbone


def build_backbone(
    name: str,
    *,
    num_classes: int,
    input_shape: tuple[int, int] | tuple[int, int, int],
    weights: Path | str | None = None,
    precision: str = "float32",
    seed: int = 0,
) -> keras.Model:
    """Build a network of `keras.applications` for images alone.

    Parameters
    ----------
    name : str
        A key of `BACKBONES`.
    num_classes : int
        Units of the softmax.
    input_shape : tuple of int
        Height, width and, optionally, the 3 channels; at least 32 each way, 71 for Xception.
    weights : path, optional
        A file of ImageNet weights without the top, as Keras publishes them
        (``…_notop.h5`` or ``.weights.h5``). Fresh random weights where none is given.
    precision : str
        Keras dtype policy of every layer but the softmax, which is float32.
    seed : int
        Seeds Keras's, NumPy's and Python's global generators.

    Returns
    -------
    keras.Model
        Input ``{"image": (N, H, W, 3) in 0..255}``, output ``probabilities`` (N, num_classes)
        float32. Not compiled.

    Raises
    ------
    ParameterError
        For an unknown name, an image too small, or a file that is missing or holds other weights.
    """
    backbone = look_up("network", name, BACKBONES)
    if min(input_shape[:2]) < backbone.smallest:
        raise ParameterError(
            f"input_shape: received {input_shape}, expected at least {backbone.smallest} each way"
        )
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)  # the library's builders take no policy
    try:
        with seeded(seed):
            return _build(name, backbone, num_classes, (*input_shape[:2], 3), weights)
    finally:
        keras.config.set_dtype_policy(before)


def _make(backbone: Backbone) -> Any:
    return getattr(keras.applications, backbone.application)


def _build(
    name: str,
    backbone: Backbone,
    num_classes: int,
    shape: tuple[int, int, int],
    weights: Path | str | None,
) -> keras.Model:
    image = keras.Input(shape, name="image")  # (N, H, W, 3) in 0..255
    deviation = np.array(backbone.deviation)
    scaled = layers.Rescaling(
        (1 / deviation).tolist(), (-np.array(backbone.mean) / deviation).tolist()
    )(image)
    trunk = _make(backbone)(
        include_top=False, weights=None, pooling="avg", input_shape=shape, input_tensor=scaled
    )
    if weights is not None:
        _load(backbone, trunk, shape, Path(weights))
    for layer in trunk.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = NORMALISATION_MOMENTUM  # the library's builders take none
    output = layers.Dense(num_classes, "softmax", dtype="float32", name="probabilities")
    return keras.Model({"image": image}, output(trunk.output), name=name)


def _load(backbone: Backbone, trunk: keras.Model, shape: tuple[int, int, int], path: Path) -> None:
    """Copy published weights; the first convolution makes up for the scaling they do not expect."""
    if not path.is_file():
        raise ParameterError(f"weights: received {path}, expected a file that exists")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Keras only warns where it leaves weights random
            given: Any = _make(backbone)(include_top=False, weights=str(path), input_shape=shape)
    except (ValueError, OSError, KeyError, UserWarning) as error:
        raise ParameterError(
            f"weights: received {path}, expected weights of {backbone.application} without its "
            f"top ({error})"
        ) from error
    trunk.set_weights(given.get_weights())
    if backbone.first:
        layer = trunk.get_layer(backbone.first)
        kernel, *rest = layer.get_weights()  # (3, 3, 3, F), blue first
        scale = np.array(backbone.deviation, kernel.dtype)[:, None]
        layer.set_weights([kernel[:, :, ::-1] * scale, *rest])
